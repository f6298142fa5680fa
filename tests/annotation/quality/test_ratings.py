from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.quality.ratings import Ratings, profiles, rating_pairs

tables = st.lists(st.lists(st.integers(-1, 3), min_size=4, max_size=4), min_size=1, max_size=9).map(np.array)


def test_it_codes_triples():
    ratings, codes = Ratings.from_triples([("i2", "ann", "b"), ("i1", "bob", "a"), ("i2", "bob", "b")])
    assert codes.items == ["i2", "i1"]
    assert codes.raters == ["ann", "bob"]
    assert codes.labels == ["a", "b"]
    assert ratings.items.tolist() == [0, 1, 0]
    assert ratings.raters.tolist() == [0, 1, 1]
    assert ratings.labels.tolist() == [1, 0, 1]
    assert (ratings.n_items, ratings.n_raters, ratings.n_labels) == (2, 2, 2)


def test_it_keeps_the_order_of_labels_that_is_given():
    ratings, codes = Ratings.from_triples([(1, 1, "a")], labels=["c", "a"])
    assert (codes.labels, ratings.labels.tolist(), ratings.n_labels) == (["c", "a"], [1], 2)
    with pytest.raises(ValueError, match="label 'z' is not among the 2 labels"):
        Ratings.from_triples([(1, 1, "z")], labels=["c", "a"])


def test_it_asks_which_of_two_labels_by_one_person_counts():
    triples = [(1, "ann", "a"), (1, "ann", "b")]
    with pytest.raises(ValueError, match="'ann' has rated 1 twice: say which counts"):
        Ratings.from_triples(triples)
    assert Ratings.from_triples(triples, labels="ab", repeats="first")[0].labels.tolist() == [0]
    assert Ratings.from_triples(triples, labels="ab", repeats="last")[0].labels.tolist() == [1]
    with pytest.raises(ValueError, match="expected error, first or last"):
        Ratings.from_triples(triples, repeats="both")


def test_it_takes_no_ratings():
    ratings, codes = Ratings.from_triples([])
    assert (len(ratings.items), ratings.n_items, codes.labels) == (0, 0, [])
    assert profiles(ratings).counts.shape == (0, 0)
    assert len(rating_pairs(ratings).items) == 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (([0, 1], [0], [0, 0]), "raters has shape"),
        (([0, 2], [0, 0], [0, 0]), "items holds codes from 0 to 2: expected 0 to 1"),
        (([0, 1], [0, 0], [0, -1]), "labels holds codes from -1 to 0"),
        (([0, 0], [1, 1], [0, 1]), "1 ratings are by a person who has already rated the item"),
    ],
)
def test_it_refuses_arrays_that_are_not_in_order(arrays, words):
    with pytest.raises(ValueError, match=words):
        Ratings(*(np.array(array) for array in arrays), 2, 2, 2)


@given(tables)
def test_it_groups_items_by_their_labels(table):
    ratings = Ratings.from_matrix(table)
    grouped = profiles(ratings)
    columns = [Counter(int(label) for label in column if label >= 0) for column in table.T]
    assert grouped.multiplicity.sum() == ratings.n_items == len(columns)
    for item, expected in enumerate(columns):
        row = grouped.counts[grouped.of_item[item]]
        assert {label: count for label, count in enumerate(row.tolist()) if count} == dict(expected)
    assert len(grouped.counts) == len({tuple(sorted(column.elements())) for column in columns})


@given(tables)
def test_it_lists_every_pair_of_ratings_once(table):
    pairs = rating_pairs(Ratings.from_matrix(table))
    found = sorted(zip(*(array.tolist() for array in pairs), strict=True))
    expected = sorted(
        (item, a, b, int(table[a, item]), int(table[b, item]))
        for item in range(table.shape[1])
        for a, b in combinations(range(table.shape[0]), 2)
        if table[a, item] >= 0 and table[b, item] >= 0
    )
    assert found == expected
