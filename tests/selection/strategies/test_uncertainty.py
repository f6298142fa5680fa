import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies import blocks, uncertainty
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import MEASURES, ClippedSettings, NoSettings, at_temperature
from training.learning.calibration import calibrated

WORKED = np.array([[0.4, 0.35, 0.25]])  # the worked example of the blend's published formula


def test_it_gives_the_worked_example():
    assert uncertainty.entropy(WORKED)[0] == pytest.approx(1.0805, abs=1e-4)
    assert uncertainty.normalised_entropy(WORKED)[0] == pytest.approx(1.0805 / math.log(3), abs=1e-4)
    assert uncertainty.least_confidence(WORKED)[0] == pytest.approx(0.6)
    assert uncertainty.margin_gap(WORKED)[0] == pytest.approx(0.05)
    assert uncertainty.margin(WORKED)[0] == pytest.approx(0.95)


def _entropy_by_hand(row):
    return -sum(p * math.log(p) for p in row if p > 0)


def _margin_by_hand(row):
    first, second = sorted(row, reverse=True)[:2]
    return 1 - (first - second)


HAND = {
    "entropy": lambda row: _entropy_by_hand(row) / math.log(len(row)),
    "least_confidence": lambda row: 1 - max(row),
    "margin": _margin_by_hand,
    "ratio": lambda row: sorted(row)[-2] / max(row),
}


@pytest.mark.parametrize("measure", list(uncertainty.MEASURES))
@given(st.integers(2, 8), st.integers(0, 10_000))
def test_it_equals_the_formula_item_by_item_and_forgets_the_order_of_labels(measure, k, seed):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.3), 7)
    probs[0] = np.eye(k)[0]  # certain: 0 log 0 counts as 0
    scores = uncertainty.MEASURES[measure](probs)
    assert scores == pytest.approx([HAND[measure](row) for row in probs.tolist()], abs=1e-12)
    assert uncertainty.MEASURES[measure](probs[:, rng.permutation(k)]) == pytest.approx(scores, abs=1e-12)


@pytest.mark.parametrize("measure", list(uncertainty.MEASURES))
def test_it_is_0_where_the_model_is_certain_and_greatest_where_all_labels_are_alike(measure):
    score = uncertainty.MEASURES[measure]
    k = 5
    assert score(np.eye(k)) == pytest.approx(np.zeros(k))
    some = np.random.default_rng(0).dirichlet(np.ones(k), 200)
    assert (score(some) < score(np.full((1, k), 1 / k))[0]).all()


@pytest.mark.parametrize("name", ["entropy", "least_confidence", "margin"])
def test_it_picks_what_a_full_sort_picks(name):
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.ones(4), 50).round(2)
    probs[:, -1] = 1 - probs[:, :-1].sum(axis=1)
    pool = Pool(rows=np.arange(50), probs=probs)
    function = getattr(uncertainty, f"pick_{name}")
    picks = function(pool, 12, settings=NoSettings(), rng=rng)
    scores = uncertainty.MEASURES[name](probs)
    by_hand = sorted(range(50), key=lambda i: (-scores[i], i))[:12]
    assert picks.indices.tolist() == by_hand
    assert picks.parts["score"].tolist() == scores[by_hand].tolist()


def _pool_of(gaps):
    """One item a gap between the two labels."""
    gaps = np.asarray(gaps)
    return Pool(rows=np.arange(len(gaps)), probs=np.column_stack([(1 + gaps) / 2, (1 - gaps) / 2]))


def test_it_passes_over_the_most_uncertain_share():
    pool = _pool_of(np.arange(100) / 100)
    picks = uncertainty.pick_margin_clipped(
        pool, 3, settings=ClippedSettings(skip_share=0.02), rng=np.random.default_rng(0)
    )
    assert picks.indices.tolist() == [2, 3, 4]


def test_it_passes_over_fewer_where_the_batch_needs_them():
    picks = uncertainty.pick_margin_clipped(
        _pool_of(np.arange(10) / 10),
        9,
        settings=ClippedSettings(skip_share=0.5),
        rng=np.random.default_rng(0),
    )
    assert picks.indices.tolist() == list(range(1, 10))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_it_refuses_to_pass_over_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="skip_share: found .*, expected a number from 0 to less than 1"):
        ClippedSettings(skip_share=share)


@pytest.mark.parametrize("name", sorted(MEASURES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_scores_many_blocks_as_it_scores_one_item(name, dtype, monkeypatch):
    probs = np.random.default_rng(0).dirichlet(np.ones(5), 100).astype(dtype)
    probs[7] = [1, 0, 0, 0, 0]
    probs[60:70] = probs[3]
    alone = np.concatenate([MEASURES[name](row[None]) for row in probs])
    monkeypatch.setattr(blocks, "BLOCK", 16)
    together = MEASURES[name](probs)
    assert together.dtype == dtype
    assert together.tolist() == alone.tolist()


def test_it_is_the_calibrated_softmax_at_another_temperature():
    logits = np.random.default_rng(1).normal(size=(20, 4)) * 3
    found = at_temperature(calibrated(logits, 1.0), 2.5)
    assert found == pytest.approx(calibrated(logits, 2.5), abs=1e-6)
    assert at_temperature(np.array([[1.0, 0.0]]), 0.05).tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match="found a temperature of 0, expected a number above 0"):
        at_temperature(np.array([[0.5, 0.5]]), 0)
