import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.disagreement import bald, consensus_kl, variation_ratio, vote_entropy


def _samples(seed, s, n=6, k=4):
    return np.random.default_rng(seed).dirichlet(np.ones(k), (s, n))


@given(seed=st.integers(0, 1000), s=st.integers(1, 6))
def test_bald_is_the_mean_divergence_from_the_consensus(seed, s):
    samples = _samples(seed, s)
    found = bald(samples)
    assert found == pytest.approx(consensus_kl(samples), abs=1e-12)
    assert ((found >= 0) & (found <= np.log(min(s, 4)) + 1e-12)).all()


@pytest.mark.parametrize("measure", [bald, consensus_kl, vote_entropy, variation_ratio])
def test_nothing_disagrees_with_itself(measure):
    assert measure(_samples(0, 1)) == pytest.approx(np.zeros(6), abs=1e-12)
    assert measure(np.repeat(_samples(1, 1), 5, axis=0)) == pytest.approx(np.zeros(6), abs=1e-12)


def test_it_works_out_a_committee_of_three():
    """Two vote for the first label, one for the second: H = 0.6365 nats of log 2."""
    samples = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.2, 0.8]]])
    assert vote_entropy(samples) == pytest.approx([0.6365 / np.log(2)], abs=1e-4)
    assert variation_ratio(samples) == pytest.approx([1 / 3])
    own = np.mean([0.3251, 0.6730, 0.5004])
    assert bald(samples) == pytest.approx([0.6842 - own], abs=2e-4)  # mean p = 0.5667


def test_a_zero_probability_is_no_trouble():
    samples = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    assert np.isfinite(consensus_kl(samples)).all()


def test_it_does_not_depend_on_the_order_of_the_committee():
    samples = _samples(3, 5)
    for measure in (bald, consensus_kl, vote_entropy, variation_ratio):
        assert measure(samples[::-1]) == pytest.approx(measure(samples))
