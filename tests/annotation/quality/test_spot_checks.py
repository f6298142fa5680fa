from __future__ import annotations

import math

import pytest

from annotation.quality.intervals import wilson
from annotation.quality.spot_checks import Accuracy, accuracy_table, is_drawn, overall_accuracy

KEYS = [f"annotation-{i}" for i in range(20_000)]


def test_it_draws_the_share_that_is_asked_for():
    for share in (0.05, 0.5):
        drawn = sum(is_drawn(key, share) for key in KEYS)
        assert abs(drawn - share * 20_000) < 5 * (20_000 * share * (1 - share)) ** 0.5


def test_it_draws_all_or_none_at_the_ends():
    assert all(is_drawn(key, 1.0) for key in KEYS[:500])
    assert not any(is_drawn(key, 0.0) for key in KEYS[:500])


def test_it_only_adds_when_the_share_grows_and_never_changes_its_mind():
    small = {key for key in KEYS if is_drawn(key, 0.05)}
    assert small == {key for key in KEYS if is_drawn(key, 0.05)}
    assert small < {key for key in KEYS if is_drawn(key, 0.10)}


def test_it_draws_anew_with_another_salt():
    one = {key for key in KEYS if is_drawn(key, 0.1, "a")}
    other = {key for key in KEYS if is_drawn(key, 0.1, "b")}
    assert abs(len(one & other) - 200) < 75


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_it_refuses_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="give a share from 0 to 1"):
        is_drawn("x", share)


def test_it_tables_accuracy_by_person():
    checks = [("ann", True), ("bob", False), ("ann", True), ("ann", False), ("bob", False)]
    assert accuracy_table(checks) == [
        Accuracy("ann", 3, 1, wilson(2, 3)),
        Accuracy("bob", 2, 2, wilson(0, 2)),
    ]
    assert overall_accuracy(checks) == wilson(2, 5)
    assert accuracy_table([]) == []
    assert math.isnan(overall_accuracy([]).value)
