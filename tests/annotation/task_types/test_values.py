from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.task_types.values import ID_PATTERN, label_id, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Refund request", "refund-request"),
        ("card_payment_fee_charged", "card_payment_fee_charged"),
        ("  Café – crème! ", "cafe-creme"),
        ("Why?", "why"),
        ("A" * 100, "a" * 64),
        ("Ｗｉｄｅ", "wide"),
    ],
)
def test_it_makes_a_slug_of_a_latin_name(name, expected):
    assert label_id(name) == expected


@pytest.mark.parametrize("name", ["退款", "退款 refund", "возврат", "?!", "", "😀"])
def test_it_hashes_a_name_that_a_slug_would_spoil(name):
    assert label_id(name).startswith("l-")
    assert len(label_id(name)) == 10
    assert label_id(name) == label_id(name)


def test_it_gives_different_ids_to_different_chinese_names():
    assert label_id("退款") != label_id("换货")


def test_it_counts_on_where_an_id_is_taken():
    assert label_id("Refund", {"refund"}) == "refund-2"
    assert label_id("Refund", {"refund", "refund-2"}) == "refund-3"
    assert label_id("a" * 64, {"a" * 64}) == "a" * 62 + "-2"


@given(st.lists(st.text(max_size=70), max_size=6))
def test_it_always_gives_a_valid_id_of_its_own(names):
    taken: list[str] = []
    for name in names:
        found = label_id(name, taken)
        assert ID_PATTERN.fullmatch(found)
        assert found not in taken
        taken.append(found)


def test_it_shows_a_value_cut_and_quoted():
    assert shown("abc") == "'abc'"
    assert shown(None) == "None"
    assert shown("x" * 500) == "'" + "x" * 59 + "…'"
