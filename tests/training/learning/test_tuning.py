"""TRL's head for log probabilities, in tiles of our size."""

from __future__ import annotations

import pytest
import torch
import transformers
from trl.trainer import utils as trl_utils

from training.learning import tuning

WORDS, LENGTH = 2 * tuning.TILE + 77, 9  # two whole tiles and a piece


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="on a GPU TRL's own tile stays, made for its kernel there"
)
def test_the_tile_is_ours_and_what_trl_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuning.tile() == tuning.TILE
    seen = []
    inner = trl_utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(
        trl_utils._ChunkedLogProbFunction, "apply", lambda *given: seen.append(given[5]) or inner(*given)
    )
    torch.manual_seed(0)
    sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=WORDS, **sizes))
    ids = torch.randint(0, WORDS, (2, LENGTH))
    plain = model(input_ids=ids).logits[:, :-1].log_softmax(-1)
    plain = plain.gather(-1, ids[:, 1:, None])[..., 0]
    whole = torch.autograd.grad(plain.sum(), model.model.norm.weight)[0]
    trl_utils.add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    found = model(input_ids=ids, labels=ids, fused_lm_head=True).log_probs
    assert seen == [tuning.TILE]
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
    tiled = torch.autograd.grad(found.sum(), model.model.norm.weight)[0]
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=1e-4)
