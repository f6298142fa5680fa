import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.diversity import (
    Closest,
    DiverseSettings,
    MmrSettings,
    one_of_each,
    pick_kmeans,
    pick_margin_diverse,
    pick_mmr,
)
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import MEASURES, NoSettings, margin


def _unit(rng, n, d=5):
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _mmr_by_hand(relevance, embeddings, labelled, count, share):
    """The formula, item by item and similarity by similarity; (picks, scores)."""
    chosen, scores = [], []
    for _ in range(count):
        best, best_score = None, -np.inf
        for i in range(len(relevance)):
            if i in chosen:
                continue
            near = [float(embeddings[i] @ embeddings[j]) for j in chosen]
            near += [float(embeddings[i] @ other) for other in labelled]
            score = share * relevance[i] - ((1 - share) * max(near) if near else 0.0)
            if score > best_score:
                best, best_score = i, score
        chosen.append(best)
        scores.append(best_score)
    return chosen, scores


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 25),
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    relevance=st.sampled_from(sorted(MEASURES)),
    count_labelled=st.booleans(),
)
def test_it_is_exactly_the_greedy_of_the_formula(n, seed, share, relevance, count_labelled):
    rng = np.random.default_rng(seed)
    probs, embeddings, labelled = rng.dirichlet(np.ones(3), n), _unit(rng, n), _unit(rng, 4)
    pool = Pool(rows=np.arange(n), probs=probs, embeddings=embeddings, labelled_embeddings=labelled)
    given_settings = MmrSettings(relevance_share=share, relevance=relevance, count_labelled=count_labelled)
    picks = pick_mmr(pool, n // 2 + 1, settings=given_settings, rng=rng)
    scores = MEASURES[relevance](probs)
    seeds = labelled if count_labelled else []
    chosen, expected = _mmr_by_hand(scores, embeddings, seeds, n // 2 + 1, share)
    assert picks.indices.tolist() == chosen
    # float32 is what labelled similarities are kept in
    assert picks.parts["score"] == pytest.approx(expected, abs=1e-6)


def test_it_picks_by_uncertainty_alone_with_all_the_weight_on_relevance():
    rng = np.random.default_rng(1)
    pool = Pool(rows=np.arange(30), probs=rng.dirichlet(np.ones(3), 30), embeddings=_unit(rng, 30))
    picks = pick_mmr(pool, 8, settings=MmrSettings(relevance_share=1.0), rng=rng)
    assert picks.indices.tolist() == np.argsort(-margin(pool.probs), kind="stable")[:8].tolist()


def test_it_has_no_diversity_part_for_the_first_pick_of_an_empty_set():
    rng = np.random.default_rng(1)
    pool = Pool(rows=np.arange(9), probs=rng.dirichlet(np.ones(3), 9), embeddings=_unit(rng, 9))
    diversity = pick_mmr(pool, 4, settings=MmrSettings(), rng=rng).parts["diversity"]
    assert np.isnan(diversity[0])
    assert (diversity[1:] >= 0).all()


def test_it_refuses_a_relevance_share_above_one():
    with pytest.raises(ValueError, match="relevance_share: found 1.5, expected a number from 0 to 1"):
        MmrSettings(relevance_share=1.5)


@given(seed=st.integers(0, 1000), n=st.integers(1, 20), m=st.integers(0, 5))
def test_it_keeps_the_greatest_similarity_running(seed, n, m):
    rng = np.random.default_rng(seed)
    embeddings, members = _unit(rng, n), _unit(rng, m)
    closest = Closest(embeddings, members)
    assert (closest.similarity is None) == (m == 0)
    added = [int(position) for position in rng.integers(n, size=3)]
    for position in added:
        closest.add(position)
    everything = np.concatenate([members, embeddings[added]])
    assert closest.similarity == pytest.approx((embeddings @ everything.T).max(axis=1), abs=1e-6)


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
    picks = pick_kmeans(Pool(rows=np.arange(80), embeddings=embeddings), 4, settings=NoSettings(), rng=rng)
    assert sorted(at // 20 for at in picks.indices.tolist()) == [0, 1, 2, 3]
    for at in picks.indices:
        blob = embeddings[at // 20 * 20 : at // 20 * 20 + 20]
        centre = blob.mean(axis=0)
        assert at % 20 == int(np.argmax(blob @ centre))


def test_it_fills_the_batch_where_clusters_stay_empty():
    embeddings = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    pool = Pool(rows=np.arange(30), embeddings=embeddings)
    picks = pick_kmeans(pool, 12, settings=NoSettings(), rng=np.random.default_rng(0))
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
