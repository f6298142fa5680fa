from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.learning import light_encoder
from training.learning.encoder import Encoder, default_encoder_path

TEXTS = [
    "I was charged twice for the same card payment, how do I get my money back?",
    "",
    "你好，我的卡丢了",
    "Ümläute, emoji 🙂 and a_very_long_word_" + "x" * 300,
    "many words " * 400,
]


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_its_vectors_are_those_of_the_encoder(text: str) -> None:
    path = default_encoder_path()
    expected = Encoder.load(path).encode([text])[0]
    found = light_encoder.encode(text, path)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-6
    assert float(np.linalg.norm(found)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_its_middle_layer_is_the_encoders() -> None:
    path = default_encoder_path()
    found = light_encoder.encode(TEXTS[0], path, "middle")
    assert np.abs(found - Encoder.load(path, layer="middle").encode([TEXTS[0]])[0]).max() < 2e-6
    assert float(found @ light_encoder.encode(TEXTS[0], path)) < 0.9, "another vector than the last layer's"


def test_it_loads_no_torch() -> None:
    code = (
        "import sys; from training.learning import encoder, light_encoder;"
        "light_encoder.encode('card lost', encoder.default_encoder_path());"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_another_encoder_and_damaged_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "modernbert"}')
    with pytest.raises(ValueError, match="expected 'bert' with gelu"):
        light_encoder.LightEncoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a model at all")
    with pytest.raises(ValueError, match="cannot be read as float32 safetensors"):
        light_encoder.mapped(tmp_path / "model.safetensors")
