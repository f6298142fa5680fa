from __future__ import annotations

import itertools

import numpy as np
import pytest

from selection.strategies import measured, mmr, uncertainty
from selection.strategies.errors import BadProbabilities
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import MEASURES, NoSettings

NAMES = list(MEASURES)


def test_of_labels_looks_at_the_likeliest_sets() -> None:
    probs = np.random.default_rng(0).random((20, 3))
    found = measured.of_labels(probs)
    for row, measures in zip(probs, found, strict=True):
        sets = [np.prod(np.where(on, row, 1 - row)) for on in itertools.product((True, False), repeat=3)]
        first, second = sorted(sets)[::-1][:2]
        assert measures[NAMES.index("least_confidence")] == pytest.approx(1 - first)
        assert measures[NAMES.index("ratio")] == pytest.approx(second / first)
    assert measured.of_labels(np.array([[0.5, 0.5], [0.0, 1.0]])).tolist() == [[1, 0.75, 1, 1], [0, 0, 0, 0]]


def test_of_ratings_is_the_mean_over_dimensions() -> None:
    sure, torn = [1.0, 0, 0], [0.5, 0, 0.5]
    found = measured.of_ratings(np.array([sure + sure, torn + sure, torn + torn]), 3)
    assert found[:, NAMES.index("margin")].tolist() == [0, 0.5, 1]
    assert found[1] == pytest.approx(found[2] / 2)


def test_of_words_takes_the_least_sure_word_or_the_mean() -> None:
    words = np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]], dtype=np.float16)
    found = measured.of_words(words, np.array([0, 2, 2, 3]))
    assert found[0, NAMES.index("margin")] == pytest.approx(1)
    assert found[0, NAMES.index("entropy")] == pytest.approx(0.5)
    assert found[1].tolist() == [0, 0, 0, 0]  # no word
    assert found[2, NAMES.index("least_confidence")] == pytest.approx(0.1, abs=1e-3)
    many = np.tile(words[1:2], (3 * measured.TEXTS, 1))
    assert (measured.of_words(many, np.arange(len(many) + 1))[:, 0] == 1).all()


def test_strategies_read_it_in_place_of_probabilities() -> None:
    rng = np.random.default_rng(0)
    unsure = rng.random((30, len(NAMES)))
    vectors = rng.normal(size=(30, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pool = Pool(rows=np.arange(30), unsure=unsure, embeddings=vectors)
    found = uncertainty.pick_entropy(pool, 3, settings=NoSettings(), rng=rng)
    assert found.indices.tolist() == np.argsort(-unsure[:, NAMES.index("entropy")])[:3].tolist()
    settings = mmr.MmrSettings(relevance="ratio", relevance_share=1.0)
    by_ratio = mmr.pick_mmr(pool, 3, settings=settings, rng=rng).indices
    assert by_ratio.tolist() == np.argsort(-unsure[:, NAMES.index("ratio")])[:3].tolist()
    with pytest.raises(BadProbabilities, match="are not all between 0 and 1"):
        uncertainty.pick_margin(
            Pool(rows=np.arange(30), unsure=2 * unsure), 3, settings=NoSettings(), rng=rng
        )
