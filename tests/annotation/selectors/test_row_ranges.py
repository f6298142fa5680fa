from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.selectors.row_ranges import from_text, to_text


@given(st.sets(st.integers(0, 5000)))
def test_there_and_back(rows: set[int]) -> None:
    assert from_text(to_text(rows), most=10_000) == sorted(rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("5", [5]),
        ("5-3", []),
        ("1-3, 2 ,x,-4,7-", [1, 2, 3, 7]),
        ("9" * 30, []),
        ("0-99999", [0, 1, 2]),
    ],
)
def test_it_reads_what_it_can_and_no_more_than_asked(text: str, rows: list[int]) -> None:
    assert from_text(text, most=3 if "99999" in text else 100) == rows
