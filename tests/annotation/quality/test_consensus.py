from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.quality.consensus import Vote, majority, majority_vote, vote_shares
from annotation.quality.ratings import Ratings

tables = st.lists(st.lists(st.integers(-1, 2), min_size=6, max_size=6), min_size=1, max_size=5).map(np.array)


def test_it_takes_the_label_with_most_votes():
    assert majority_vote(["a", "b", "a"]) == Vote("a", pytest.approx(2 / 3), {"a": 2, "b": 1}, False)
    assert majority_vote(["a"]) == Vote("a", 1.0, {"a": 1}, False)


def test_it_decides_nothing_on_a_tie_or_without_votes():
    assert majority_vote(["a", "b"]) == Vote(None, 0.5, {"a": 1, "b": 1}, True)
    assert majority_vote(["a", "b", "b", "a", "c"]) == Vote(None, 0.4, {"a": 2, "b": 2, "c": 1}, True)
    assert majority_vote([]) == Vote(None, 0.0, {}, False)


@given(tables)
def test_it_decides_all_items_as_it_decides_each(table):
    found = majority(Ratings.from_matrix(table, 3))
    for item, column in enumerate(table.T):
        votes = [str(one) for one in column if one >= 0]
        expected = majority_vote(votes)
        assert found.labels[item] == (-1 if expected.label is None else int(expected.label))
        assert found.votes[item] == len(votes)
        assert found.tied[item] == expected.tied
        assert found.share[item] == pytest.approx(expected.share if votes else math.nan, nan_ok=True)


@given(tables)
def test_it_gives_votes_as_shares(table):
    shares = vote_shares(Ratings.from_matrix(table, 3))
    for item, column in enumerate(table.T):
        votes = Counter(int(one) for one in column if one >= 0)
        if votes:
            assert shares[item].tolist() == pytest.approx([votes[i] / votes.total() for i in range(3)])
        else:
            assert np.isnan(shares[item]).all()


def test_it_takes_no_ratings_at_all():
    assert majority(Ratings.from_triples([])[0]).labels.tolist() == []
    nobody = Ratings(*(np.zeros(0, dtype=int) for _ in range(3)), 2, 0, 0)
    found = majority(nobody)
    assert (found.labels.tolist(), found.votes.tolist(), found.tied.tolist()) == (
        [-1, -1],
        [0, 0],
        [False] * 2,
    )
