import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.index.graph import neighbour_graph
from selection.strategies.submodular import (
    FacilityLocation,
    FeatureCoverage,
    GraphCut,
    SaturatedCoverage,
    lazy_greedy,
)


def _unit(rng, n, d=4, coarse=False):
    vectors = rng.integers(-1, 2, size=(n, d)).astype(float) if coarse else rng.normal(size=(n, d))
    vectors[~vectors.any(axis=1), 0] = 1.0
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _dense(graph):
    """(n, n) s_ij: how well j stands for i."""
    n = len(graph.neighbours)
    whole = np.zeros((n, n))
    for i, (row, close) in enumerate(zip(graph.neighbours, graph.similarity, strict=True)):
        for j, value in zip(row, close, strict=True):
            if j >= 0:
                whole[i, j] = value
    return whole


def _naive(value, n, count):
    """The greedy that works out the value of every larger set at every pick."""
    chosen = []
    for _ in range(count):
        now = value(chosen)
        gains = [-np.inf if j in chosen else value([*chosen, j]) - now for j in range(n)]
        chosen.append(int(np.argmax(gains)))
    return chosen


sizes = {
    "n": st.integers(1, 25),
    "k": st.integers(1, 8),
    "seed": st.integers(0, 10_000),
    "coarse": st.booleans(),
}


@settings(max_examples=40, deadline=None)
@given(**sizes, covered=st.booleans())
def test_facility_location_picks_what_the_naive_greedy_picks(n, k, seed, coarse, covered):
    rng = np.random.default_rng(seed)
    graph = neighbour_graph(_unit(rng, n, coarse=coarse), k)
    whole = _dense(graph)
    cover = np.round(rng.random(n) * 2**16) / 2**16 if covered else np.zeros(n)

    def value(chosen):
        return np.maximum(cover, whole[:, chosen].max(axis=1, initial=0)).sum()

    chosen, gains = lazy_greedy(FacilityLocation(graph, cover), n)
    assert chosen.tolist() == _naive(value, n, n)
    assert gains.sum() == value(list(range(n))) - cover.sum()


@settings(max_examples=30, deadline=None)
@given(**sizes, share=st.sampled_from([0.1, 0.5, 1.0]))
def test_saturated_coverage_picks_what_the_naive_greedy_picks(n, k, seed, coarse, share):
    graph = neighbour_graph(_unit(np.random.default_rng(seed), n, coarse=coarse), k)
    whole = _dense(graph)
    enough = np.round(share * whole.sum(axis=1) * 2**16) / 2**16
    chosen = lazy_greedy(SaturatedCoverage(graph, share), n)[0]
    assert chosen.tolist() == _naive(lambda s: np.minimum(whole[:, s].sum(axis=1), enough).sum(), n, n)


@settings(max_examples=30, deadline=None)
@given(**sizes, redundancy=st.sampled_from([0.25, 0.5, 2.0]))
def test_graph_cut_picks_what_the_naive_greedy_picks(n, k, seed, coarse, redundancy):
    graph = neighbour_graph(_unit(np.random.default_rng(seed), n, coarse=coarse), k)
    whole = _dense(graph)

    def value(chosen):
        return whole[:, chosen].sum() - redundancy * whole[np.ix_(chosen, chosen)].sum()

    chosen, _gains = lazy_greedy(GraphCut(graph, redundancy), n)
    assert chosen.tolist() == _naive(value, n, n)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 20), seed=st.integers(0, 10_000))
def test_feature_coverage_picks_what_the_naive_greedy_picks(n, seed):
    rng = np.random.default_rng(seed)
    features, have = rng.random((n, 3)), rng.random(3)
    chosen, gains = lazy_greedy(FeatureCoverage(features, have), n)

    def value(picked):
        return np.sqrt(have + features[picked].sum(axis=0)).sum()

    assert chosen.tolist() == _naive(value, n, n)
    assert gains.sum() == pytest.approx(value(list(range(n))) - value([]))


def test_it_looks_at_few_gains_again():
    rng = np.random.default_rng(0)
    graph = neighbour_graph(_unit(rng, 2000, 8), 16)
    function, asked = FacilityLocation(graph), []

    class Counted:
        size = function.size
        add = staticmethod(function.add)

        @staticmethod
        def gains(rows):
            asked.append(len(rows))
            return function.gains(rows)

    lazy_greedy(Counted(), 100)
    assert sum(asked) < 0.1 * 2000 * 100
