from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.intake.normalise import content_hash
from annotation.intake.split import assign_split, assign_splits

PINNED = ["validation", "validation", "train", "train", "train", "test"]
HASHES = [content_hash(f"text {i}") for i in range(20_000)]


def test_it_gives_the_shares_that_were_asked_for():
    counts = Counter(assign_splits(HASHES, 7, 0.1, 0.2))
    # five standard deviations of a binomial count
    assert abs(counts["test"] - 4_000) < 5 * (20_000 * 0.2 * 0.8) ** 0.5
    assert abs(counts["validation"] - 2_000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5
    assert sum(counts.values()) == 20_000


def test_it_never_changes_its_mind():
    assert [assign_split(one, 3, 0.25, 0.25) for one in HASHES[:8]] == [
        assign_split(one, 3, 0.25, 0.25) for one in HASHES[:8]
    ]
    assert assign_split("00" * 16, 0, 0.1, 0.1) == "test"
    # written down once: a change here would move items between splits in every project there is
    assert [assign_split(one, 1, 0.3, 0.3) for one in HASHES[:6]] == PINNED


@given(st.integers(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_it_gives_one_at_a_time_what_it_gives_in_bulk(seed, validation, test):
    some = HASHES[:50]
    assert assign_splits(some, seed, validation, test) == [
        assign_split(h, seed, validation, test) for h in some
    ]


def test_it_only_adds_test_items_when_their_share_grows():
    small = {
        h for h, split in zip(HASHES, assign_splits(HASHES, 1, 0.1, 0.1), strict=True) if split == "test"
    }
    large = {
        h for h, split in zip(HASHES, assign_splits(HASHES, 1, 0.1, 0.3), strict=True) if split == "test"
    }
    assert small < large


def test_it_draws_anew_with_another_seed():
    first = assign_splits(HASHES, 1, 0.0, 0.5)
    second = assign_splits(HASHES, 2, 0.0, 0.5)
    both = sum(a == b == "test" for a, b in zip(first, second, strict=True))
    assert abs(both - 5_000) < 5 * (20_000 * 0.25 * 0.75) ** 0.5


def test_it_takes_no_items_and_extreme_shares():
    assert assign_splits([], 1, 0.1, 0.1) == []
    assert set(assign_splits(HASHES[:100], 1, 0.0, 0.0)) == {"train"}
    assert set(assign_splits(HASHES[:100], 1, 0.0, 1.0)) == {"test"}


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.6, 0.5), (float("nan"), 0.1)])
def test_it_refuses_shares_that_are_not_possible(validation, test):
    with pytest.raises(ValueError, match="together at most 1"):
        assign_split(HASHES[0], 1, validation, test)
    with pytest.raises(ValueError, match="together at most 1"):
        assign_splits(HASHES, 1, validation, test)
