"""Every kind of encoder that may be registered can be trained: checked on the smallest of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from training.distributed.shape import Shape
from training.learning.base_folder import ENCODERS, examine
from training.learning.encoder import Encoder, default_encoder_path
from training.learning.text_model import TextClassifier, Tokeniser, load_encoder, padded

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
}
OWN = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 130},
    "modernbert": SIZES | {"pad_token_id": 0, "cls_token_id": 101, "sep_token_id": 102},
    "deberta-v2": SIZES
    | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 32},
}


@pytest.mark.parametrize("kind", ENCODERS)
def test_it_can_be_examined_trained_saved_and_cut(kind: str, tmp_path: Path) -> None:
    path = default_encoder_path()
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=tokenizer.vocab_size, **OWN.get(kind, SIZES), attention_dropout=0.0
    )
    transformers.AutoModel.from_config(config).save_pretrained(str(tmp_path))
    tokenizer.save_pretrained(str(tmp_path))

    found = examine(tmp_path)
    assert found.is_encoder and 128 <= found.context <= 130
    model = TextClassifier(load_encoder(tmp_path, dropout=0.0), 3)
    shape = Shape.of(model.encoder, 16, outputs=3)
    assert (shape.layers, shape.hidden, shape.heads, shape.intermediate) == (2, 32, 2, 64)
    tokeniser = Tokeniser.load(tmp_path, 16)
    ids, mask = padded(tokeniser(["a card is lost", "卡丢了", ""]), tokeniser.pad)
    nn = torch.nn.functional
    start = nn.cross_entropy(model(ids, mask), torch.tensor([0, 1, 2]))
    start.backward()
    torch.optim.SGD(model.head.parameters(), lr=1.0).step()
    nn.cross_entropy(model(ids, mask), torch.tensor([0, 1, 2])).backward()
    # DDP waits for every gradient, so none may be left out.
    assert [name for name, value in model.named_parameters() if value.grad is None] == []

    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    again = TextClassifier.load(folder, 3, dropout=0.0)
    torch.testing.assert_close(again(ids, mask), model(ids, mask))
    vectors = Encoder.load(tmp_path, layer="middle").encode(["a card is lost", "a"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
