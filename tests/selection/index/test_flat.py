import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.index.flat import BLOCK, nearest, nearest_exact


def _vectors(seed, n, d=8):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@given(seed=st.integers(0, 1000), m=st.integers(1, 40), q=st.integers(1, 30), data=st.data())
def test_it_finds_what_brute_force_finds(seed, m, q, data):
    k = data.draw(st.integers(1, m))
    base, queries = _vectors(seed, m), _vectors(seed + 1, q)
    found, similarity = nearest(base, queries, k)
    exact_found, exact = nearest_exact(base, queries, k)
    products = queries.astype(np.float64) @ base.T.astype(np.float64)
    by_hand = -np.sort(-products, axis=1)[:, :k]
    for positions, values in ((found, similarity), (exact_found, exact)):
        np.testing.assert_allclose(values, by_hand, atol=1e-5)
        # Two products that round to one may stand either way, so positions are judged by what they reach.
        np.testing.assert_allclose(np.take_along_axis(products, positions, axis=1), by_hand, atol=1e-5)
        assert all(len(set(row)) == k for row in positions.tolist())


def test_it_takes_the_lower_position_of_equal_ones_in_the_exact_twin():
    base = np.ones((4, 2), dtype=np.float32)
    assert nearest_exact(base, base[:1], 3)[0].tolist() == [[0, 1, 2]]


def test_it_goes_through_more_queries_than_a_block():
    base, queries = _vectors(0, 20), _vectors(1, BLOCK + 3)
    assert (nearest(base, queries, 2)[0] == nearest_exact(base, queries, 2)[0]).all()


@pytest.mark.parametrize("search", [nearest, nearest_exact])
def test_it_refuses_what_it_cannot_search(search):
    base = _vectors(0, 5)
    with pytest.raises(ValueError, match="found k = 6 neighbours among 5 vectors, expected 1 to 5"):
        search(base, base, 6)
    with pytest.raises(ValueError, match="embed both with one encoder"):
        search(base, base[:, :4], 1)
