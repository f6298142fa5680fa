from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.hardness.versions import churn, drift, flips, pairwise_disagreement


def _drawn(seed, versions=4, n=6, k=3):
    return np.random.default_rng(seed).dirichlet(np.ones(k), (versions, n))


def test_it_counts_changes_from_version_to_version():
    first, second = [0.8, 0.2], [0.3, 0.7]
    probs = np.array([[first, first], [second, first], [first, first], [second, first]])
    assert flips(probs).tolist() == [3, 0]


def test_churn_is_the_share_of_changed_labels():
    before, after = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.1, 0.9]])
    assert churn(before, after) == 0.5
    assert drift(before, after) == pytest.approx([0.5, 0.1])


@given(seed=st.integers(0, 999), versions=st.integers(2, 6))
def test_it_equals_looking_at_every_pair(seed, versions):
    probs = _drawn(seed, versions)
    labels = probs.argmax(axis=2)
    pairs = list(combinations(range(versions), 2))
    expected = np.mean([labels[a] != labels[b] for a, b in pairs], axis=0)
    np.testing.assert_allclose(pairwise_disagreement(probs), expected)


@pytest.mark.parametrize("function", [flips, pairwise_disagreement])
@pytest.mark.parametrize("shape", [(1, 3, 2), (3, 2)])
def test_it_needs_two_models(function, shape):
    with pytest.raises(ValueError, match="expected \\(models, items, labels\\) with two models"):
        function(np.full(shape, 0.5))
