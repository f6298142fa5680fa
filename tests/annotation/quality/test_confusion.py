from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from annotation.quality import confusion
from annotation.quality.confusion import ConfusedPair, LabelDisagreement
from annotation.quality.ratings import Ratings

tables = st.lists(st.lists(st.integers(-1, 3), min_size=6, max_size=6), min_size=2, max_size=5).map(np.array)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_it_counts_like_scikit_learn(pairs):
    a, b = np.array(pairs).T
    assert confusion.matrix(a, b, 4).tolist() == confusion_matrix(a, b, labels=range(4)).tolist()


def test_it_counts_nothing_and_refuses_what_does_not_fit():
    assert confusion.matrix([], [], 2).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="both sides must label the same items"):
        confusion.matrix([0], [0, 1], 2)
    with pytest.raises(ValueError, match="a label code is outside 0 to 1"):
        confusion.matrix([0, 2], [0, 1], 2)


@given(tables)
def test_it_counts_pairs_of_people_in_both_orders(table):
    found = confusion.between_people(Ratings.from_matrix(table, 4))
    expected = np.zeros((4, 4), dtype=int)
    for column in table.T:
        for i, a in enumerate(column):
            for j, b in enumerate(column):
                if i != j and a >= 0 and b >= 0:
                    expected[a, b] += 1
    assert found.tolist() == expected.tolist()


def test_it_sets_one_person_against_another():
    ratings = Ratings.from_matrix([[0, 0, 1, 2], [0, 1, 1, -1], [2, 2, 2, 2]])
    assert confusion.of_pair(ratings, 0, 1).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert confusion.of_pair(ratings, 1, 0).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_it_tells_the_rival_of_each_label():
    between = [[8, 2, 0, 0], [2, 4, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    assert confusion.by_label(between) == [
        LabelDisagreement(0, 10, pytest.approx(0.2), 1, pytest.approx(0.2)),
        LabelDisagreement(1, 8, pytest.approx(0.5), 0, pytest.approx(0.25)),
        LabelDisagreement(2, 2, pytest.approx(1.0), 1, pytest.approx(1.0)),
    ]
    assert confusion.by_label([[4]]) == [LabelDisagreement(0, 4, 0.0, None, 0.0)]


def test_it_lists_the_most_confused_labels():
    # pairs of ratings: 4 x (0,0), 2 x (0,1), 2 x (1,1), 3 x (1,2)
    between = [[8, 2, 0], [2, 4, 3], [0, 3, 0]]
    assert confusion.most_confused(between) == [
        ConfusedPair(1, 2, 3, pytest.approx(3 / 7)),
        ConfusedPair(0, 1, 2, pytest.approx(2 / 11)),
    ]
    assert len(confusion.most_confused(between, limit=1)) == 1
    assert confusion.most_confused([[2, 0], [0, 2]]) == []
