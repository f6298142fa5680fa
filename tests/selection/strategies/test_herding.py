import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.index.graph import neighbour_graph
from selection.strategies.herding import HerdingSettings, pick_herding
from selection.strategies.pool import Pool

STEPS = 2**16


def _unit(rng, n, d=4):
    vectors = rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _two_labels(gaps):
    gaps = np.asarray(gaps)
    return np.column_stack([(1 + gaps) / 2, (1 - gaps) / 2])


def _pick(pool, count, **chosen):
    return pick_herding(pool, count, settings=HerdingSettings(**chosen), rng=np.random.default_rng(0))


def _stepped(values):
    return np.round(np.asarray(values, dtype=np.float64) * STEPS) / STEPS


def _naive(unsure, vectors, labelled, count, width, neighbours):
    """The greedy that works out the whole coverage of every larger batch."""
    graph, n = neighbour_graph(vectors, neighbours), len(vectors)
    serves = np.zeros((n, n))
    for i, (row, close) in enumerate(zip(graph.neighbours, graph.similarity, strict=True)):
        for j, cosine in zip(row, close, strict=True):
            if j >= 0:
                serves[i, j] = _stepped(np.exp((float(cosine) - 1) / width))
    start = np.zeros(n)
    if len(labelled):
        near = _stepped(np.maximum((vectors @ labelled.T).max(axis=1), 0))
        start = _stepped(np.exp((near - 1) / width))
    weights = np.maximum(_stepped(unsure), 1 / STEPS)
    chosen = []
    for _ in range(count):
        values = [
            -np.inf if j in chosen else weights @ np.maximum(start, serves[:, [*chosen, j]].max(axis=1))
            for j in range(n)
        ]
        chosen.append(int(np.argmax(values)))
    return chosen


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 25),
    labelled=st.integers(0, 4),
    neighbours=st.integers(2, 8),
    width=st.sampled_from([0.1, 0.4, 2.0]),
    seed=st.integers(0, 10_000),
)
def test_it_is_the_greedy_of_the_coverage(n, labelled, neighbours, width, seed):
    rng = np.random.default_rng(seed)
    vectors, known, gaps = _unit(rng, n), _unit(rng, labelled), rng.random(n)
    probs = _two_labels(gaps)
    pool = Pool(rows=np.arange(n), probs=probs, embeddings=vectors, labelled_embeddings=known)
    picks = _pick(pool, n, width=width, neighbours=neighbours)
    unsure = 1 - (probs[:, 0] - probs[:, 1])
    assert picks.indices.tolist() == _naive(unsure, vectors, known, n, width, neighbours)
    assert picks.parts["uncertainty"] == pytest.approx(1 - gaps[picks.indices])


def test_one_pick_settles_the_crowd_and_the_next_goes_elsewhere():
    """Ten unsure items near one place, three near another, and one more unsure than all, near a label."""
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(4), [10, 3, 1, 0], axis=0) + rng.normal(scale=0.02, size=(14, 4))
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    pool = Pool(
        rows=np.arange(14),
        probs=_two_labels([0.3] * 13 + [0.0]),
        embeddings=points.astype(np.float32),
        labelled_embeddings=np.eye(4, dtype=np.float32)[[2]],
    )
    picks = _pick(pool, 2)
    assert picks.indices[0] < 10 <= picks.indices[1] < 13
    left = 1 - np.exp(-1 / 0.4)  # what a label at a right angle leaves uncovered
    assert picks.parts["score"] == pytest.approx([10 * 0.7 * left, 3 * 0.7 * left], rel=0.02)
    cosine = float(points[picks.indices[0]] @ points[picks.indices[1]])
    near_label = max(points[picks.indices[1]][2], cosine)
    assert picks.parts["diversity"][1] == pytest.approx(1 - near_label, abs=1e-3)


def test_it_looks_only_at_the_uncertain_items_it_may_look_at():
    pool = Pool(
        rows=np.arange(100),
        probs=_two_labels(np.arange(100) / 100),
        embeddings=_unit(np.random.default_rng(2), 100),
    )
    picks = _pick(pool, 5, candidates_per_pick=4)
    assert set(picks.indices.tolist()) <= set(range(20))
    assert np.isnan(picks.parts["diversity"][0]) and np.isfinite(picks.parts["diversity"][1:]).all()


def test_where_the_model_is_sure_of_all_the_batch_is_still_spread():
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(3), 8, axis=0) + rng.normal(scale=0.02, size=(24, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    picks = _pick(Pool(rows=np.arange(24), probs=_two_labels(np.ones(24)), embeddings=points), 3)
    assert sorted((picks.indices // 8).tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"candidates_per_pick": 0}, "candidates_per_pick: found 0, expected 1 or more"),
        ({"width": 0}, "width: found 0, expected a number above 0"),
        ({"neighbours": 1}, "neighbours: found 1, expected 2 or more"),
    ],
)
def test_it_refuses_settings_that_make_no_sense(wrong, words):
    with pytest.raises(ValueError, match=words):
        HerdingSettings(**wrong)
