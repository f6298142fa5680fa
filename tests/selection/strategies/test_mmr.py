import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.mmr import MmrSettings, pick_mmr
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import MEASURES, margin


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


def test_it_picks_the_same_whether_closed_items_are_copied_out_or_passed_over():
    rng = np.random.default_rng(3)
    probs, embeddings = rng.dirichlet(np.ones(3), 40), _unit(rng, 40)
    taken = np.array([3, 17, 20])
    pool = Pool(rows=np.arange(40), probs=probs, embeddings=embeddings, taken=taken)
    rest = np.setdiff1d(np.arange(40), taken)
    alone = Pool(rows=rest, probs=probs[rest], embeddings=embeddings[rest])
    picks = pick_mmr(pool, 12, settings=MmrSettings(), rng=rng)
    assert (
        picks.indices.tolist() == rest[pick_mmr(alone, 12, settings=MmrSettings(), rng=rng).indices].tolist()
    )
