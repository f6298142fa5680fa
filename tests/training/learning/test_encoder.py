from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training_kit import tiny_encoder
from training.learning import encoder, text_model
from training.learning.encoder import Encoder


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return Encoder.load(encoder.default_encoder_path())


@pytest.mark.slow
def test_it_puts_like_meanings_near_each_other(minilm: Encoder) -> None:
    lost, gone, refund = minilm.encode(
        ["I lost my card", "my card has gone missing", "give me my money back"]
    )
    assert lost @ gone > 0.6 > 0.4 > lost @ refund


@pytest.mark.slow
def test_it_does_not_depend_on_order_and_batches(minilm: Encoder) -> None:
    texts = ["a", "", "我的卡在哪里", "where is my card " * 80, "\u0000 odd \ufffd bytes", "x" * 5000]
    told: list[tuple[int, int]] = []
    together = minilm.encode(
        texts, batch_tokens=64, on_progress=lambda done, total: told.append((done, total))
    )
    assert together.shape == (6, 384) and together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    alone = np.vstack([minilm.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_allclose(minilm.encode(texts[::-1])[::-1], together, atol=2e-5)
    assert told[-1] == (6, 6)
    assert minilm.encode([]).shape == (0, 384)


@pytest.mark.slow
def test_it_reads_a_text_up_to_its_256th_token(minilm: Encoder) -> None:
    start = "card " * 400
    long, longer = minilm.encode([start, start + "refund " * 50_000])
    np.testing.assert_allclose(long, longer, atol=1e-5)


@pytest.mark.slow
def test_its_vectors_are_the_means_of_its_tokens_states(tmp_path: Path) -> None:
    one = Encoder.load(tiny_encoder(tmp_path / "tiny"))
    texts = ["where is my card", "a", "give me my money back please"]
    tokens = one.tokeniser(texts)
    found = np.empty((3, one.width), dtype=np.float32)
    for at, states in one.states(tokens, batch_tokens=16):
        for item, rows in zip(at.tolist(), states, strict=True):
            mean = rows[: len(tokens[item])].mean(axis=0)
            found[item] = mean / np.linalg.norm(mean)
    np.testing.assert_allclose(found, one.encode(texts), atol=2e-5)


@pytest.mark.slow
def test_its_middle_layer_is_the_state_halfway_of_the_whole_model(tmp_path: Path) -> None:
    import torch

    tiny = tiny_encoder(tmp_path / "tiny")
    whole, tokeniser = text_model.load_encoder(tiny).eval(), text_model.Tokeniser.load(tiny, 256)
    ids = torch.tensor(tokeniser(["where is my card"])[0])[None]
    with torch.no_grad():
        states = whole(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
    halfway = states.hidden_states[whole.config.num_hidden_layers // 2].mean(dim=1)[0].numpy()
    found = Encoder.load(tiny, layer="middle").encode(["where is my card"])[0]
    np.testing.assert_allclose(found, halfway / np.linalg.norm(halfway), atol=1e-5)


def test_it_knows_two_layers_and_a_column_for_each(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert encoder.encoder_key(tmp_path, "middle") == encoder.encoder_key(tmp_path) + "-middle"
    with pytest.raises(ValueError, match="there is no layer 'first': use last or middle"):
        encoder.layers_up_to("first", 6)


@pytest.mark.slow
def test_it_names_a_column_by_the_content_not_the_place(tmp_path: Path) -> None:
    tiny = tiny_encoder(tmp_path / "tiny")
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    assert encoder.encoder_key(copy) == encoder.encoder_key(tiny)
    assert len(encoder.encoder_key(tiny)) == 16
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    assert encoder.encoder_key(copy) != encoder.encoder_key(tiny)


@pytest.mark.slow
def test_it_replaces_dropout_where_asked(tmp_path: Path) -> None:
    tiny = tiny_encoder(tmp_path / "tiny")
    assert text_model.load_encoder(tiny).config.hidden_dropout_prob == 0.1
    changed = text_model.load_encoder(tiny, dropout=0.3).config
    assert changed.hidden_dropout_prob == changed.attention_probs_dropout_prob == 0.3


@pytest.mark.slow
def test_it_refuses_damaged_weights(tmp_path: Path) -> None:
    tiny = tiny_encoder(tmp_path / "tiny")
    weights = tiny / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cannot be loaded as an encoder"):
        Encoder.load(tiny)


def test_it_refuses_a_folder_that_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the folder of an encoder"):
        encoder.encoder_key(tmp_path)
    with pytest.raises(ValueError, match="expected the folder of an encoder"):
        text_model.load_encoder(tmp_path)
    with pytest.raises(ValueError, match="holds no tokenizer"):
        text_model.Tokeniser.load(tmp_path, 16)


def test_it_says_that_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_package_here")
    with pytest.raises(ValueError, match="no_such_package_here is not installed: run `make setup`"):
        encoder.default_encoder_path()
