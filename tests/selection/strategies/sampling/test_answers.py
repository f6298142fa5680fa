import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.sampling.answers import (
    Unsureness,
    answer_log_probs,
    folded,
    heat_to_doubt,
    meanings,
    measure,
    self_consistency,
    semantic_entropy,
    sweep,
    unique_share,
)


def _unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_it_counts_answers_that_differ_in_more_than_case_and_stops():
    assert unique_share(["Paris.", "paris", " PARIS! ", "London"]) == 0.5
    assert folded("“巴黎。”") == "巴黎"
    assert unique_share(["a"] * 5) == 0.2


def test_it_gives_the_share_of_the_commonest_answer():
    assert self_consistency(["18", "18", "20", "18", "7"]) == 0.6
    assert self_consistency(np.array([3, 3])) == 1.0


def test_it_joins_answers_of_one_meaning_through_a_chain():
    """0 and 2 are 40 degrees apart, each 20 from 1: a chain joins them; 3 lies alone."""
    angles = np.radians([0, 20, 40, 120])
    found = meanings(_unit(np.stack([np.cos(angles), np.sin(angles)], axis=1)), same=0.9)
    assert found.tolist() == [0, 0, 0, 1]


@given(st.integers(1, 12), st.integers(0, 99))
def test_its_clusters_are_the_connected_parts_of_the_graph(count, seed):
    vectors = _unit(np.random.default_rng(seed).normal(size=(count, 3)))
    found = meanings(vectors, same=0.6)
    parent = list(range(count))

    def root(a):
        while parent[a] != a:
            a = parent[a]
        return a

    for a in range(count):
        for b in range(a):
            if vectors[a] @ vectors[b] >= 0.6:
                parent[root(a)] = root(b)
    for a in range(count):
        for b in range(count):
            assert (found[a] == found[b]) == (root(a) == root(b))
    firsts = [int(np.flatnonzero(found == name)[0]) for name in range(found.max() + 1)]
    assert firsts == sorted(firsts)


def test_semantic_entropy_is_that_of_the_shares_of_meanings():
    assert semantic_entropy(np.array([0, 0, 0])) == 0.0
    assert semantic_entropy(np.array([0, 1, 2, 3])) == pytest.approx(math.log(4))
    assert semantic_entropy(np.array([5, 5, 5, 9])) == pytest.approx(
        -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    )


def test_semantic_entropy_weighs_meanings_by_likelihood_where_it_is_known():
    """Two meanings, one of likelihood 0.6 in two answers, the other 0.2: shares 3/4 and 1/4."""
    found = semantic_entropy(np.array([0, 0, 1]), np.log([0.4, 0.2, 0.2]))
    assert found == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))


def test_it_averages_log_probabilities_within_an_answer_only():
    given_ = np.log(np.array([[0.5, 0.25, 0.9], [0.1, 0.9, 0.9], [0.9, 0.9, 0.9]]))
    found = answer_log_probs(given_, np.array([2, 1, 0]))
    assert found[:2] == pytest.approx([math.log(0.125) / 2, math.log(0.1)])
    assert np.isnan(found[2])


def test_it_measures_a_prompt():
    found = measure(["yes", "Yes.", "no"], np.array([0, 0, 1]), np.array([-1.0, -2.0, np.nan]))
    assert found == Unsureness(
        samples=3,
        unique_share=pytest.approx(2 / 3),
        semantic_entropy=pytest.approx(0.6365, abs=1e-4),
        consistency=pytest.approx(2 / 3),
        mean_log_prob=-1.5,
        var_log_prob=0.25,
    )


def _at(consistency, entropy):
    return Unsureness(
        samples=4,
        unique_share=0.5,
        semantic_entropy=entropy,
        consistency=consistency,
        mean_log_prob=-1.0,
        var_log_prob=0.0,
    )


def test_it_lays_a_sweep_out_by_temperature():
    by_temperature = {1.0: _at(0.5, 0.7), 0.2: _at(1.0, 0.0), 0.6: _at(0.75, 0.5)}
    columns = sweep(by_temperature)
    assert columns["temperature"] == [0.2, 0.6, 1.0]
    assert columns["semantic_entropy"] == [0.0, 0.5, 0.7]
    assert heat_to_doubt(by_temperature) == 1.0
    assert heat_to_doubt(by_temperature, consistency=0.1) == math.inf


@pytest.mark.parametrize("function", [unique_share, self_consistency, semantic_entropy])
def test_it_needs_an_answer(function):
    with pytest.raises(ValueError, match="found no answer, expected at least one"):
        function([])


def test_it_needs_as_many_of_each():
    with pytest.raises(ValueError, match="found 2 answers, 1 clusters and 2 log-probabilities"):
        measure(["a", "b"], np.array([0]), np.array([0.0, 0.0]))
