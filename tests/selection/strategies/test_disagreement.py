from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.disagreement import (
    bald,
    churn,
    consensus_kl,
    pairwise,
    variation_ratio,
    vote_entropy,
)

MEASURES = [bald, consensus_kl, vote_entropy, variation_ratio, pairwise]


def _samples(seed, s, n=6, k=4):
    return np.random.default_rng(seed).dirichlet(np.ones(k), (n, s))


@given(seed=st.integers(0, 1000), s=st.integers(1, 6))
def test_bald_is_the_mean_divergence_from_the_consensus(seed, s):
    samples = _samples(seed, s)
    found = bald(samples)
    assert found == pytest.approx(consensus_kl(samples), abs=1e-12)
    assert ((found >= 0) & (found <= np.log(min(s, 4)) + 1e-12)).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_disagrees_with_itself(measure):
    assert measure(_samples(0, 1)) == pytest.approx(np.zeros(6), abs=1e-12)
    assert measure(np.repeat(_samples(1, 1), 5, axis=1)) == pytest.approx(np.zeros(6), abs=1e-12)


def test_it_works_out_a_committee_of_three():
    """Two vote for the first label, one for the second: H = 0.6365 nats of log 2."""
    samples = np.array([[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]])
    assert vote_entropy(samples) == pytest.approx([0.6365 / np.log(2)], abs=1e-4)
    assert variation_ratio(samples) == pytest.approx([1 / 3])
    own = np.mean([0.3251, 0.6730, 0.5004])
    assert bald(samples) == pytest.approx([0.6842 - own], abs=2e-4)  # mean p = 0.5667


def test_a_zero_probability_is_no_trouble():
    samples = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    assert np.isfinite(consensus_kl(samples)).all()


def test_it_does_not_depend_on_the_order_of_the_committee():
    samples = _samples(3, 5)
    for measure in MEASURES:
        assert measure(samples[:, ::-1]) == pytest.approx(measure(samples))


def test_churn_is_the_share_of_changed_labels():
    before, after = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.1, 0.9]])
    assert churn(before, after) == 0.5


@given(seed=st.integers(0, 999), versions=st.integers(2, 6))
def test_it_equals_looking_at_every_pair(seed, versions):
    probs = _samples(seed, versions, k=3)
    labels = probs.argmax(axis=2)
    pairs = list(combinations(range(versions), 2))
    expected = np.mean([labels[:, a] != labels[:, b] for a, b in pairs], axis=0)
    np.testing.assert_allclose(pairwise(probs), expected)
