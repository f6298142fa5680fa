from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training_kit import tiny_encoder
from training.learning import packed, text_model
from training.learning.text_model import TextClassifier

pytestmark = pytest.mark.slow  # torch and transformers

TEXTS = ["a", "", "where is my card " * 20, "我的卡在哪里", "a refund please", "a b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Any:
    return text_model.load_encoder(folder).eval()


@pytest.fixture(scope="module")
def batch(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of six lengths in no order."""
    return text_model.padded(text_model.Tokeniser.load(folder, 64)(TEXTS), 0)


def states(module: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    with torch.inference_mode():
        found = module(input_ids=batch[0], attention_mask=batch[1]).last_hidden_state
    return (found * batch[1][..., None]).numpy()  # padding holds whatever it likes


def test_it_gives_the_hidden_states_of_the_plain_module(encoder: Any, batch: Any) -> None:
    assert packed.why_not(encoder) == ""
    ready = packed.ready(encoder)
    assert isinstance(ready, packed.PackedEncoder)
    np.testing.assert_allclose(states(ready, batch), states(encoder, batch), atol=5e-6)


def test_it_pads_with_zeros_and_keeps_the_order_of_the_items(encoder: Any, batch: Any) -> None:
    ready = packed.ready(encoder)
    with torch.inference_mode():
        found = ready(input_ids=batch[0], attention_mask=batch[1]).last_hidden_state
        assert (found[batch[1] == 0] == 0).all()
        turned = ready(input_ids=batch[0].flip(0), attention_mask=batch[1].flip(0)).last_hidden_state
    np.testing.assert_allclose(turned.flip(0), found, atol=5e-6)


def test_it_is_near_in_bf16_and_answers_in_float32(encoder: Any, batch: Any) -> None:
    plain = states(encoder, batch)
    for ready in (packed.ready(encoder, "bf16"), packed._InBf16(encoder)):
        found = states(ready, batch)
        assert found.dtype == np.float32
        assert 0 < np.abs(found - plain).max() < 0.1


def test_it_shares_the_head_and_leaves_the_model_as_it_was(encoder: Any, batch: Any) -> None:
    model = TextClassifier(encoder, 3)
    torch.nn.init.normal_(model.head.weight)
    fast = packed.scorer(model)
    assert isinstance(fast.encoder, packed.PackedEncoder) and model.encoder is encoder
    with torch.inference_mode():
        logits, vectors = model.logits_and_vectors(*batch)
        fast_logits, fast_vectors = fast.logits_and_vectors(*batch)
    np.testing.assert_allclose(fast_logits, logits, atol=1e-5)
    np.testing.assert_allclose(fast_vectors, vectors, atol=1e-6)


def test_it_falls_back_to_the_plain_module_where_an_operator_is_missing_or_wrong(
    encoder: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_arguments: object) -> None:
        raise AttributeError("no such operator")

    monkeypatch.setattr(packed, "_pack", missing)
    assert "torch has no such operators here" in packed.why_not(encoder)
    assert packed.ready(encoder) is encoder
    assert np.abs(states(packed.ready(encoder, "bf16"), batch) - states(encoder, batch)).max() < 0.1
    monkeypatch.undo()
    monkeypatch.setattr(packed, "_product", lambda values, packed, then="none": values[:, :4] * 0)
    assert "the operators are off by" in packed.why_not(encoder)


def test_it_leaves_encoders_alone_that_it_does_not_know(folder: Path) -> None:
    other = text_model.load_encoder(folder)
    other.config.hidden_act = "relu"
    assert "only an encoder with gelu" in packed.why_not(other)
    adapted = text_model.load_encoder(folder)

    class Adapter(torch.nn.Linear):
        pass

    dense = adapted.encoder.layer[0].output.dense
    adapted.encoder.layer[0].output.dense = Adapter(dense.in_features, dense.out_features)
    assert "parts of another library: Adapter" in packed.why_not(adapted)
    assert packed.ready(adapted) is adapted
