from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import encoder_kit
from tests.training_kit import messages, tiny_encoder
from training.learning import text_model
from training.learning.text_model import TextClassifier
from training.learning.vocabulary import CutVocabulary

pytestmark = pytest.mark.slow  # torch and transformers


def trained(folder: Path, *, is_cut: bool) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """Weights after five steps of AdamW without decay, and the ids that were seen."""
    torch.manual_seed(0)
    model = TextClassifier(text_model.load_encoder(folder, dropout=0.0), 2)
    tokeniser = text_model.Tokeniser.load(folder, 32)
    tokens = tokeniser([text for text, _label in messages(16)])
    seen = np.unique(np.concatenate([[tokeniser.pad], *tokens]))
    words = CutVocabulary(model.encoder, [tokens[:8], tokens[8:]], tokeniser.pad) if is_cut else None
    pad = words.pad if words else tokeniser.pad
    ids, mask = text_model.padded(words.renumbered(tokens) if words else tokens, pad)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(model(ids, mask), torch.arange(16) % 2)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    if words:
        assert len(model.encoder.get_input_embeddings().weight) == len(seen)
        words.restore()
    return model.state_dict(), seen


@pytest.mark.parametrize("make", [tiny_encoder, encoder_kit.tiny_roberta])
def test_it_learns_what_the_whole_table_would(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    whole, seen = trained(folder, is_cut=False)
    cut, _ = trained(folder, is_cut=True)
    assert whole.keys() == cut.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(cut[name], value, atol=2e-6, err_msg=name)
    table = "encoder.embeddings.word_embeddings.weight"
    base = text_model.load_encoder(folder).embeddings.word_embeddings.weight.detach()
    unseen = np.setdiff1d(np.arange(len(base)), seen)
    assert torch.equal(cut[table][unseen], base[unseen])
    assert not torch.equal(cut[table][seen], base[seen])


def test_padding_keeps_its_number_where_positions_are_counted_from_it(tmp_path: Path) -> None:
    """No text has <s> here: padding would become number 0, and the word after it be taken for padding."""
    encoder = text_model.load_encoder(encoder_kit.tiny_roberta(tmp_path / "tiny"), dropout=0.0).eval()
    tokens = [[7, 9, 11], [9]]
    plain = encoder(*text_model.padded(tokens, 1)).last_hidden_state
    words = CutVocabulary(encoder, [tokens], 1)
    assert (words.pad, words.kept.tolist()) == (1, [0, 1, 7, 9, 11])
    cut = encoder(*text_model.padded(words.renumbered(tokens), words.pad)).last_hidden_state
    torch.testing.assert_close(cut[0], plain[0])
    torch.testing.assert_close(cut[1, 0], plain[1, 0])
