from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.charts import svg


def test_it_covers_the_range_with_round_ticks() -> None:
    assert svg.ticks(0.0, 1.0) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert svg.ticks(0.61, 0.93) == [0.6, 0.7, 0.8, 0.9, 1.0]
    assert svg.ticks(0, 100, 6) == [0, 20, 40, 60, 80, 100]


def test_it_widens_an_empty_range() -> None:
    assert svg.ticks(0, 0)[0] < 0 < svg.ticks(0, 0)[-1]
    marks = svg.ticks(4, 4)
    assert marks[0] < 4 < marks[-1]


def test_it_counts_what_is_whole_without_fractions() -> None:
    assert svg.ticks(2, 2, 6, whole=True) == [1, 2, 3]
    assert svg.ticks(1, 3, 6, whole=True) == [1, 2, 3]
    assert svg.ticks(1, 11, 6, whole=True) == [0, 2, 4, 6, 8, 10, 12]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_hold_the_range_and_rise(low: float, width: float) -> None:
    marks = svg.ticks(low, low + width)
    assert 2 <= len(marks) <= 12
    assert marks[0] <= low + 1e-6 * max(abs(low), width)
    assert marks[-1] >= low + width - 1e-6 * max(abs(low), width)
    assert all(a < b for a, b in zip(marks, marks[1:], strict=False))


def test_it_refuses_values_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="not finite"):
        svg.ticks(0.0, float("nan"))


def test_it_escapes_text_and_says_that_it_is_safe() -> None:
    assert svg.text(1, 2.50, "<b>&") == '<text x="1" y="2.5" text-anchor="start">&lt;b&gt;&amp;</text>'
    drawn = svg.drawing('A "title"', 10, [])
    assert "A &quot;title&quot;" in drawn
    assert drawn.__html__() == str(drawn)


def test_it_writes_figures_short() -> None:
    assert [svg.short(v) for v in (0.25, 12, 3400, 2_500_000)] == ["0.25", "12", "3,400", "2.5M"]
    assert svg.as_percent(0.713) == "71.3 %"


def test_it_cuts_long_names_chinese_ones_too() -> None:
    assert svg.clipped("short", 100) == "short"
    assert svg.clipped("a rather long name of a label", 60).endswith("…")
    assert svg.text_width("退款") == 24
    assert svg.clipped("退款申请已经提交", 50) == "退款申…"


def test_the_legend_shows_points_as_points() -> None:
    markup, _height = svg.legend(["one", "two"], 0, 10, dots=True)
    assert markup.count("<circle") == 2
    assert "<line" not in markup


def test_the_legend_breaks_lines() -> None:
    markup, height = svg.legend(["one", "two", "three"], 0, 10, per_line=105)
    assert height == 36
    assert markup.count("<text") == 3
