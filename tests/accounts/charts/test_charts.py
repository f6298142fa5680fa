from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from accounts.charts import (
    Bar,
    Bin,
    Chart,
    Dot,
    Line,
    Point,
    bar_chart,
    heat_map,
    line_chart,
    point_chart,
    reliability_chart,
    scatter_chart,
)
from accounts.charts.svg import as_percent, text_width

LINES = [
    Line("blend", [Point(25, 0.5, 0.4, 0.6, 5), Point(50, 0.7, 0.65, 0.75, 5)]),
    Line("random", [Point(25, 0.45), Point(50, 0.6)]),
]
ALL = [
    line_chart(LINES, title="Learning <curve>", x_label="labels", y_label="accuracy", marks=[(30, "v2")]),
    line_chart([], title="Nothing yet"),
    line_chart([Line("one", [Point(1, 2, 1, 3)])], title="One point", target=(2.5, "target")),
    heat_map([[1.0, 0.4], [None, 1.0]], rows=["Ana", "Li"], columns=["Ana", "Li"], title="Kappa"),
    heat_map([], rows=[], columns=[], title="Empty"),
    bar_chart(
        [Bar("Refund", 0.3, 0.2, 0.4, 20, 0.1), Bar("其他", 0.0)], title="Bars", second_label="deployed"
    ),
    bar_chart([], title="No bars"),
    point_chart(
        [Dot("Ana", 120, 0.9, 100, 140, 0.8, 0.95, 40)], title="People", x_label="pace", y_label="acc"
    ),
    scatter_chart({"pool": [(0, 0), (1, 2)], "picked": [(0.5, 1)]}, title="Map"),
    scatter_chart({}, title="No map"),
    reliability_chart(
        [Bin(0.6, 0.5, 10), Bin(0.9, 0.95, 90), Bin(0.1, 0, 0)], title="R", x_label="c", y_label="a"
    ),
]


@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.title)
def test_every_chart_is_well_formed_titled_and_without_inline_style(chart: Chart) -> None:
    root = ElementTree.fromstring(chart.svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == chart.title
    assert root[0].tag == "title"
    assert root[0].text == chart.title
    assert "style=" not in chart.svg
    assert "nan" not in chart.svg.lower()
    assert all(len(row) == len(chart.columns) for row in chart.rows)


@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.title)
def test_what_is_drawn_lies_inside_the_drawing(chart: Chart) -> None:
    root = ElementTree.fromstring(chart.svg)
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    for mark in root.iter():
        for name, limit in (("cx", width), ("x", width), ("cy", height), ("y", height)):
            if name in mark.attrib:
                assert -1 <= float(mark.attrib[name]) <= limit + 1, (mark.tag, mark.attrib)


def test_the_line_chart_puts_the_greater_value_higher() -> None:
    points = re.findall(r'<polyline class="line s0" points="([^"]+)"', ALL[0].svg)[0].split()
    (x1, y1), (x2, y2) = (tuple(map(float, one.split(","))) for one in points)
    assert x1 < x2
    assert y1 > y2


def test_words_at_the_right_end_are_not_cut_off() -> None:
    lines = [Line("alpha", [Point(0, 0.5), Point(10, 0.6)])]
    drawn = line_chart(
        lines, title="t", marks=[(10, "version 12")], x_format=lambda value: f"September {value:.0f}"
    )
    words = [one for one in ElementTree.fromstring(drawn.svg).iter() if one.tag == "text"]
    assert {"September 10", "version 12"} <= {one.text for one in words}
    for one in words:
        width = text_width(one.text or "")
        behind = {"start": width, "middle": width / 2, "end": 0}[one.attrib["text-anchor"]]
        assert float(one.attrib["x"]) + behind <= 640, one.text


def test_the_line_table_has_a_row_per_x_and_intervals() -> None:
    assert ALL[0].columns == ["labels", "blend", "random"]
    assert ALL[0].rows[0] == ["25", "0.5 [0.4, 0.6] n=5", "0.45"]


def test_lines_with_different_xs_leave_gaps() -> None:
    chart = line_chart([Line("a", [Point(1, 1)]), Line("b", [Point(2, 1)])], title="t", x_label="x")
    assert chart.rows == [["1", "1", "–"], ["2", "–", "1"]]


def test_the_heat_map_darkens_with_the_value_and_names_its_cells() -> None:
    chart = heat_map(
        [[0.0, 1.0]], rows=["a"], columns=["b", "c"], title="t", value_range=(0, 1), value_format=as_percent
    )
    assert re.findall(r'fill-opacity="([\d.]+)"', chart.svg) == ["0.04", "1"]
    assert "<title>a × c: 100 %</title>" in chart.svg
    assert 'class="on-strong">100 %' in chart.svg
    assert 'class="on-weak">0 %' in chart.svg


def test_the_heat_map_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match="2 x 1 names"):
        heat_map([[1.0]], rows=["a", "b"], columns=["c"], title="t")


def test_a_cell_may_be_a_link() -> None:
    chart = heat_map([[3]], rows=["a"], columns=["b"], title="t", links=[["/items?x=1&y=2"]])
    assert '<a href="/items?x=1&amp;y=2">' in chart.svg


def test_bars_are_as_long_as_their_values() -> None:
    chart = bar_chart([Bar("a", 1.0), Bar("b", 0.5)], title="t", value_range=(0, 1))
    first, second = (float(w) for w in re.findall(r'class="bar s0"[^>]*width="([\d.]+)"', chart.svg))
    assert first == pytest.approx(2 * second, abs=0.02)


def test_the_scatter_table_counts_each_group() -> None:
    assert ALL[8].rows == [["pool", "2"], ["picked", "1"]]


def test_reliability_leaves_empty_bins_out() -> None:
    assert ALL[10].rows == [["60 %", "50 %", "10"], ["90 %", "95 %", "90"]]
    assert "n = 100" in ALL[10].svg
