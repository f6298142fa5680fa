import numpy as np
import pytest

from selection.strategies import typiclust
from selection.strategies.pool import Pool
from selection.strategies.typiclust import TypiclustSettings, pick_typiclust, typicality


def _blobs(sizes, scale=0.05):
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    points = points + rng.normal(scale=scale, size=points.shape)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def _pick(pool, count, **chosen):
    return pick_typiclust(pool, count, settings=TypiclustSettings(**chosen), rng=np.random.default_rng(0))


def test_it_takes_the_most_typical_item_of_the_largest_clusters_first():
    points = _blobs([30, 20, 10])
    picks = _pick(Pool(rows=np.arange(60), embeddings=points), 3)
    assert np.searchsorted([30, 50], picks.indices, side="right").tolist() == [0, 1, 2]
    largest = points[:30].astype(np.float64)
    apart = np.sort(np.linalg.norm(largest[:, None] - largest, axis=2), axis=1)[:, 1:21].mean(axis=1)
    assert picks.indices[0] == np.argmin(apart)
    assert picks.parts["score"][0] == pytest.approx(1 / apart.min(), rel=1e-3)


def test_it_goes_where_nothing_is_labelled_yet():
    known = np.eye(3, dtype=np.float32)[:2]
    picks = _pick(
        Pool(rows=np.arange(60), embeddings=_blobs([30, 20, 10]), labelled_embeddings=known),
        1,
        most_clusters=3,
    )
    assert picks.indices[0] >= 50


def test_it_fills_the_batch_where_clusters_are_few():
    picks = _pick(Pool(rows=np.arange(60), embeddings=_blobs([30, 20, 10])), 9, most_clusters=3)
    assert len(set(picks.indices.tolist())) == 9
    assert np.bincount(np.searchsorted([30, 50], picks.indices, side="right")).tolist() == [3, 3, 3]


def test_a_lone_item_is_not_typical():
    lone = np.eye(2, dtype=np.float32)[:1]
    assert typicality(lone, lone, np.array([True])).tolist() == [0.0]


def _mean_distance(item, others):
    return np.sort(np.linalg.norm(others.astype(np.float64) - item, axis=1))[:20].mean()


def test_an_item_is_left_out_of_its_own_nearest_only_where_it_is_among_them():
    points = _blobs([40, 1, 1, 1])[:40]
    members = points[:30]
    found = typicality(points, members, np.arange(40) < 30)
    for at in (0, 29):
        assert found[at] == pytest.approx(1 / _mean_distance(points[at], np.delete(members, at, 0)), rel=1e-3)
    for at in (30, 39):
        assert found[at] == pytest.approx(1 / _mean_distance(points[at], members), rel=1e-3)


def test_an_item_that_the_sample_of_a_large_cluster_left_out_keeps_its_nearest(monkeypatch):
    monkeypatch.setattr(typiclust, "MOST_NEAR", 30)
    points = _blobs([60, 1, 1, 1])[:60]
    chosen = {int(at) for at in np.linspace(0, 59, 30).astype(int)}
    sample = points[sorted(chosen)]
    picks = _pick(Pool(rows=np.arange(60), embeddings=points), 60, most_clusters=1)
    for at, score in zip(picks.indices.tolist(), picks.parts["score"], strict=True):
        others = np.delete(sample, sorted(chosen).index(at), 0) if at in chosen else sample
        assert score == pytest.approx(1 / _mean_distance(points[at], others), rel=1e-3)


def test_it_refuses_to_make_no_cluster():
    with pytest.raises(ValueError, match="most_clusters: found 0, expected 1 or more"):
        TypiclustSettings(most_clusters=0)
