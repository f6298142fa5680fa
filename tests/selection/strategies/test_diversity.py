import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.diversity import (
    ClusterSettings,
    DiverseSettings,
    by_size,
    one_of_each,
    pick_kmeans,
    pick_margin_diverse,
)
from selection.strategies.pool import Pool


def _unit(rng, n, d=5):
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _one_of_each_by_hand(of, scores, count):
    groups = {}
    for at in sorted(range(len(of)), key=lambda i: (-scores[i], i)):
        groups.setdefault(of[at], []).append(at)
    order = sorted(groups, key=lambda name: (-len(groups[name]), list(of).index(name)))
    found = []
    while len(found) < count:
        for name in order:
            if groups[name] and len(found) < count:
                found.append(groups[name].pop(0))
    return found


@given(st.data())
def test_it_takes_the_best_of_every_cluster_in_turn(data):
    n = data.draw(st.integers(1, 20))
    of = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    scores = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    count = data.draw(st.integers(0, n))
    found = one_of_each(np.array(of), np.array(scores, dtype=float), count)
    assert found.tolist() == _one_of_each_by_hand(of, scores, count)


def _blobs(rng, centres, each):
    """`each` points close to each of the unit vectors."""
    points = np.repeat(centres, each, axis=0) + rng.normal(
        scale=0.01, size=(len(centres) * each, centres.shape[1])
    )
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_it_samples_every_cluster_at_its_most_typical_item():
    rng = np.random.default_rng(0)
    embeddings = _blobs(rng, np.eye(4), 20)
    picks = pick_kmeans(
        Pool(rows=np.arange(80), embeddings=embeddings), 4, settings=ClusterSettings(), rng=rng
    )
    assert sorted(at // 20 for at in picks.indices.tolist()) == [0, 1, 2, 3]
    for at in picks.indices:
        blob = embeddings[at // 20 * 20 : at // 20 * 20 + 20]
        centre = blob.mean(axis=0)
        assert at % 20 == int(np.argmax(blob @ centre))


def test_it_fills_the_batch_where_clusters_stay_empty():
    embeddings = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    pool = Pool(rows=np.arange(30), embeddings=embeddings)
    picks = pick_kmeans(pool, 12, settings=ClusterSettings(), rng=np.random.default_rng(0))
    assert len(set(picks.indices.tolist())) == 12
    assert {at // 10 for at in picks.indices.tolist()} == {0, 1, 2}


def _three_blobs():
    """All of the first blob is more uncertain than any item of the others."""
    embeddings = _blobs(np.random.default_rng(0), np.eye(3), 10)
    gaps = np.concatenate([np.linspace(0, 0.1, 10), np.linspace(0.2, 0.3, 10), np.linspace(0.4, 0.5, 10)])
    probs = np.column_stack([(1 + gaps) / 2, (1 - gaps) / 2])
    return Pool(rows=np.arange(30), probs=probs, embeddings=embeddings), gaps


def test_it_takes_the_most_uncertain_item_of_every_cluster():
    pool, gaps = _three_blobs()
    chosen = DiverseSettings(skip_share=0.0, of_each="uncertain")
    picks = pick_margin_diverse(pool, 3, settings=chosen, rng=np.random.default_rng(0))
    assert sorted(picks.indices.tolist()) == [0, 10, 20]
    assert picks.parts["uncertainty"] == pytest.approx(1 - gaps[picks.indices])
    assert picks.parts["score"] == pytest.approx(1 - gaps[picks.indices])


def test_it_takes_the_most_typical_item_of_every_cluster():
    pool, _gaps = _three_blobs()
    chosen = DiverseSettings(skip_share=0.0)
    picks = pick_margin_diverse(pool, 3, settings=chosen, rng=np.random.default_rng(0))
    for at in picks.indices.tolist():
        blob = pool.embeddings[at // 10 * 10 : at // 10 * 10 + 10]
        assert at % 10 == int(np.argmax(blob @ blob.mean(axis=0)))
    assert len({at // 10 for at in picks.indices.tolist()}) == 3
    assert picks.parts["score"].tolist() == picks.parts["diversity"].tolist()


def test_it_looks_only_at_the_uncertain_items_it_may_look_at():
    rng = np.random.default_rng(2)
    gaps = np.arange(100) / 100
    pool = Pool(
        rows=np.arange(100),
        probs=np.column_stack([(1 + gaps) / 2, (1 - gaps) / 2]),
        embeddings=_unit(rng, 100).astype(np.float32),
    )
    given_settings = DiverseSettings(candidates_per_pick=4, skip_share=0.1)
    picks = pick_margin_diverse(pool, 5, settings=given_settings, rng=rng)
    assert set(picks.indices.tolist()) <= set(range(10, 30))


def test_it_refuses_to_look_at_less_than_one_item_a_pick():
    with pytest.raises(ValueError, match="candidates_per_pick: found 0, expected 1 or more"):
        DiverseSettings(candidates_per_pick=0)


def test_it_shares_the_batch_by_the_size_of_the_clusters():
    rng = np.random.default_rng(0)
    embeddings = np.concatenate([_blobs(rng, np.eye(3)[:1], 60), _blobs(rng, np.eye(3)[1:], 20)])
    pool = Pool(rows=np.arange(100), embeddings=embeddings)
    picks = pick_kmeans(pool, 10, settings=ClusterSettings(clusters=3, quota="size"), rng=rng)
    assert np.bincount(np.searchsorted([60, 80], picks.indices, side="right")).tolist() == [6, 2, 2]


@given(st.data())
def test_it_shares_by_size_to_within_one_of_the_exact_share(data):
    of = np.array(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=30)))
    count = data.draw(st.integers(0, len(of)))
    found = by_size(of, np.arange(len(of)) % 5, count)
    assert len(set(found.tolist())) == count
    for cluster in set(of.tolist()):
        exact = count * (of == cluster).mean()
        assert abs((of[found] == cluster).sum() - exact) < 1


def test_it_fills_the_batch_from_more_clusters_than_picks():
    rng = np.random.default_rng(0)
    pool = Pool(rows=np.arange(80), embeddings=_blobs(rng, np.eye(4), 20))
    for quota in ("equal", "size"):
        chosen = ClusterSettings(clusters=30, quota=quota)
        assert len(set(pick_kmeans(pool, 7, settings=chosen, rng=rng).indices.tolist())) == 7


def test_it_counts_labelled_items_as_picked_where_it_is_told_to():
    rng = np.random.default_rng(0)
    known = np.repeat(np.eye(4, dtype=np.float32)[:3], 2, axis=0)
    pool = Pool(rows=np.arange(80), embeddings=_blobs(rng, np.eye(4), 20), labelled_embeddings=known)
    picks = pick_kmeans(pool, 2, settings=ClusterSettings(clusters=4, count_labelled=True), rng=rng)
    assert (picks.indices // 20).tolist() == [3, 3]


def test_it_refuses_less_than_no_cluster():
    with pytest.raises(ValueError, match="clusters: found -1, expected 0 or more"):
        ClusterSettings(clusters=-1)
