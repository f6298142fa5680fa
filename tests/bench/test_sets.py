import gzip
import json

import numpy as np
import pytest

from bench import _sets
from training.learning import encoder


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A set of its own, and an encoder that counts its calls."""
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    parts = {
        "train": [
            ("Hello there", "greet"),
            ("hello  THERE", "greet"),
            ("Refund me", "refund"),
            ("Bye", "end"),
        ],
        "test": [("bye", "end"), ("Money back", "refund")],
    }
    for part, rows in parts.items():
        with gzip.open(folder / f"{part}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    calls = []

    class Fake:
        def encode(self, texts, *, on_progress):
            calls.append(list(texts))
            on_progress(len(texts), len(texts))
            return np.eye(8, dtype=np.float32)[: len(texts)]

    monkeypatch.setenv("GYRE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(_sets, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(encoder.Encoder, "load", lambda path, layer: Fake())
    return calls


def test_it_keeps_texts_of_the_test_part_out_of_the_pool(tiny):
    found = _sets.load("tiny")
    assert found.labels == ["end", "greet", "refund"]
    assert found.pool.labels.tolist() == [1, 1, 2]  # "Bye" is a test item
    assert found.test.labels.tolist() == [0, 2]


def test_it_puts_texts_that_are_equal_once_normalised_into_one_cluster(tiny):
    clusters = _sets.load("tiny").pool.clusters
    assert clusters[0] == clusters[1] != clusters[2]


def test_it_embeds_every_part_once(tiny):
    first = _sets.load("tiny").pool.embeddings
    again = _sets.load("tiny").pool.embeddings
    assert len(tiny) == 2
    np.testing.assert_array_equal(first, again)


def test_it_keeps_a_fixed_part_where_it_is_limited(tiny):
    first, again = (_sets.load("tiny", pool_limit=2, test_limit=1) for _ in range(2))
    assert len(first.test.labels) == 1
    assert len(first.pool.labels) <= 2
    assert first.pool.labels.tolist() == again.pool.labels.tolist()


def test_it_says_what_is_missing_and_where_to_point(monkeypatch, tmp_path):
    monkeypatch.setenv("GYRE_DATA", str(tmp_path))
    with pytest.raises(_sets.SetMissing, match="set GYRE_DATA to the folder that holds snips"):
        _sets.load("snips")


def test_it_looks_beside_the_repository_where_nothing_is_set(monkeypatch):
    monkeypatch.delenv("GYRE_DATA", raising=False)
    assert _sets.data_folder() == _sets.ROOT.parent / "shared" / "data"
