import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.determinantal import DeterminantalSettings, greedy_map, kernel, pick_determinantal
from selection.strategies.pool import Pool


def _unit(rng, n, d=5):
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _by_determinants(vectors, log_quality, count, width, known):
    """The greedy that takes the determinant of every larger matrix."""
    every = np.concatenate([known, vectors])
    quality = np.exp(np.concatenate([np.zeros(len(known)), log_quality]))
    whole = kernel(every, every, width) * np.outer(quality, quality)
    held, chosen = list(range(len(known))), []
    for _ in range(count):
        values = []
        for i in range(len(vectors)):
            inside = [*held, len(known) + i]
            values.append(-np.inf if i in chosen else np.linalg.slogdet(whole[np.ix_(inside, inside)])[1])
        chosen.append(int(np.argmax(values)))
        held.append(len(known) + chosen[-1])
    return chosen


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), known=st.integers(0, 4))
def test_it_is_the_greedy_of_the_determinant(seed, n, known):
    rng = np.random.default_rng(seed)
    vectors, labelled, quality = _unit(rng, n), _unit(rng, known), rng.random(n)
    chosen, heights, _scores = greedy_map(vectors, quality, n, width=0.5, known=labelled if known else None)
    assert chosen.tolist() == _by_determinants(vectors, quality, n, 0.5, labelled)
    assert ((heights >= 0) & (heights <= 1)).all()


def test_it_fills_the_batch_by_relevance_once_nothing_new_is_left():
    pool = Pool(
        rows=np.arange(4),
        probs=np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3]]),
        embeddings=np.tile([[1.0, 0.0]], (4, 1)),
    )
    picks = pick_determinantal(pool, 4, settings=DeterminantalSettings(), rng=np.random.default_rng(0))
    assert picks.indices.tolist() == [1, 3, 2, 0]
    assert picks.parts["diversity"] == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"relevance_share": 1.0}, "expected a number from 0 to less than 1"),
        ({"width": 0}, "width: found 0, expected a number above 0"),
        ({"candidates_per_pick": 0}, "candidates_per_pick: found 0"),
    ],
)
def test_it_refuses_settings_that_make_no_sense(wrong, words):
    with pytest.raises(ValueError, match=words):
        DeterminantalSettings(**wrong)
