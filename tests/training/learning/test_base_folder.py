from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from training.learning.base_folder import examine


def make(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    told = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64, **config}
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.ones(5, np.float32)}, folder / "model.safetensors")
    return folder


def test_it_counts_parameters_and_tells_folders_apart(tmp_path: Path) -> None:
    found = examine(make(tmp_path / "one"))
    assert (found.architecture, found.parameters, found.context) == ("LlamaForCausalLM", 17, 64)
    assert examine(make(tmp_path / "two")).fingerprint == found.fingerprint
    save_file(
        {"a": np.ones((3, 4), np.float32), "b": np.ones(5, np.float32)}, tmp_path / "two/model.safetensors"
    )
    assert examine(tmp_path / "two").fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("pytorch_model.bin", "x", "pytorch_model.bin, a format that can run code"),
        ("modeling_mine.py", "x", "holds the program modeling_mine.py"),
        ("tokenizer_config.json", '{"auto_map": {}}', "asks for code of its own"),
        ("model.safetensors", "x", "is no safetensors file"),
        ("config.json", "[]", "holds list"),
        ("config.json", '{"architectures": ["BertModel"]}', "expected a causal language model"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "b.safetensors"}}', "lacks b.safetensors"),
    ],
)
def test_it_refuses_what_could_run_code_or_is_no_language_model(
    tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    folder = make(tmp_path / "one")
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=sentence):
        examine(folder)


def test_it_notices_a_cut_file_and_a_missing_tokenizer(tmp_path: Path) -> None:
    folder = make(tmp_path / "one")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-4])
    with pytest.raises(ValueError, match="cut off or damaged"):
        examine(folder)
    (make(tmp_path / "two") / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="holds no tokenizer"):
        examine(tmp_path / "two")
    with pytest.raises(ValueError, match="is no folder"):
        examine(tmp_path / "three")


def test_it_takes_encoders_with_a_tokenizer_that_knows_places(tmp_path: Path) -> None:
    told = {"architectures": ["RobertaForMaskedLM"], "model_type": "roberta", "pad_token_id": 1}
    found = examine(make(tmp_path / "one", **told, max_position_embeddings=514))
    assert (found.is_encoder, found.architecture, found.context) == (True, "RobertaForMaskedLM", 512)
    assert not examine(make(tmp_path / "llama")).is_encoder
    (tmp_path / "one" / "tokenizer.json").rename(tmp_path / "one" / "vocab.json")
    with pytest.raises(ValueError, match="holds no tokenizer"):
        examine(tmp_path / "one")
    with pytest.raises(ValueError, match="T5Model, expected a causal language model or an encoder .bert, "):
        examine(make(tmp_path / "t5", architectures=["T5Model"], model_type="t5"))
