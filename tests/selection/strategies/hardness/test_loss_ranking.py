import numpy as np
import pytest
from scipy.stats import spearmanr

from selection.strategies import errors
from selection.strategies.hardness import cross_validated_losses, loss_ranking
from selection.strategies.hardness.loss_ranking import TailSettings, above_percentile, pick_hard_tail
from selection.strategies.pool import Pool


def test_it_takes_what_lies_above_the_percentile_hardest_first():
    losses = np.arange(100.0)[::-1] / 10
    assert above_percentile(losses).tolist() == [0, 1, 2, 3, 4]
    assert above_percentile(losses, 90).tolist() == list(range(10))


def test_it_finds_nothing_hard_where_all_losses_are_equal():
    assert above_percentile(np.full(50, 0.3)).tolist() == []


@pytest.mark.parametrize("percentile", [-1, 100, 250])
def test_it_refuses_a_percentile_that_is_none(percentile):
    with pytest.raises(ValueError, match=f"percentile: found {percentile}, expected a number from 0 to less"):
        above_percentile(np.ones(3), percentile)
    with pytest.raises(ValueError, match="percentile"):
        TailSettings(percentile=percentile)


def test_it_refuses_no_losses_and_losses_that_are_no_numbers():
    with pytest.raises(errors.NothingLabelled, match="label some first"):
        above_percentile(np.empty(0))
    with pytest.raises(errors.BadHardness, match="measure the losses again"):
        above_percentile(np.array([1.0, np.nan]))


def test_it_correlates_ranks_as_scipy_does():
    rng = np.random.default_rng(0)
    one, other = rng.integers(5, size=60).astype(float), rng.integers(5, size=60).astype(float)
    found = loss_ranking.rank_correlation(one, other)
    assert found.correlation == pytest.approx(spearmanr(one, other).statistic)
    assert found.low < found.correlation < found.high
    assert found.n == 60


def test_its_interval_is_that_of_bonett_and_wright():
    """r = 0.5, n = 28: tanh(atanh 0.5 +- 1.96 sqrt((1 + 0.125) / 25)) = [0.133, 0.747]."""
    ranks = np.arange(28.0)
    other = ranks.copy()
    rng = np.random.default_rng(2)
    while spearmanr(ranks, other).statistic > 0.5:
        a, b = rng.integers(28, size=2)
        other[[a, b]] = other[[b, a]]
    found = loss_ranking.rank_correlation(ranks, other)
    wide = 1.959964 * np.sqrt((1 + found.correlation**2 / 2) / 25)
    assert np.arctanh(found.high) - np.arctanh(found.correlation) == pytest.approx(wide)


@pytest.mark.parametrize("losses", [np.ones(30), np.arange(9.0)])
def test_it_does_not_correlate_what_says_nothing(losses):
    found = loss_ranking.rank_correlation(losses, losses)
    assert np.isnan([found.correlation, found.low, found.high]).all()
    assert found.n == len(losses)


def test_it_foretells_losses_in_a_noisy_neighbourhood():
    """One of three regions has coin-flip labels: neighbours tell, so the held-out rank correlation is clear."""
    rng = np.random.default_rng(1)
    region = rng.integers(3, size=240)
    vectors = np.eye(3)[region] + rng.normal(scale=0.15, size=(240, 3))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    labels = np.where(region == 2, rng.integers(2, size=240), region)
    losses = cross_validated_losses(vectors, labels)
    found = loss_ranking.trust_of_carried(vectors, losses)
    assert found.low > 0.3 and found.n == 240
    shuffled = loss_ranking.trust_of_carried(vectors, rng.permutation(losses))
    assert shuffled.low < 0 < shuffled.high


def test_it_does_not_trust_a_handful():
    assert np.isnan(loss_ranking.trust_of_carried(np.eye(3, dtype=np.float32), np.arange(3.0)).correlation)


def _pool(hardness):
    return Pool(rows=np.arange(len(hardness)), hardness=np.asarray(hardness, dtype=float))


def test_it_draws_from_the_tail_only_and_says_with_what_chance():
    pool = _pool(np.arange(200.0))
    settings = TailSettings(percentile=90)
    drawn = [pick_hard_tail(pool, 5, settings=settings, rng=np.random.default_rng(s)) for s in range(300)]
    counts = np.bincount(np.concatenate([picks.indices for picks in drawn]), minlength=200)
    assert counts[:180].sum() == 0
    assert drawn[0].inclusion_probability.tolist() == [0.25] * 5
    assert counts[180:] / 300 == pytest.approx(np.full(20, 0.25), abs=0.11)
    assert (np.diff(drawn[0].parts["hardness"]) < 0).all()


def test_it_fills_up_with_the_next_hardest_where_the_tail_is_small():
    picks = pick_hard_tail(_pool(np.arange(20.0)), 3, settings=TailSettings(), rng=np.random.default_rng(0))
    assert picks.indices.tolist() == [19, 18, 17]
    assert picks.inclusion_probability is None
