"""Figures that move in time or with the number of labels: lines with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .svg import (
    MARGIN,
    WIDTH,
    Area,
    Chart,
    Format,
    drawing,
    legend,
    number,
    series,
    short,
    text,
    text_width,
    ticks,
)
from .svg import line as rule


@dataclass(frozen=True)
class Point:
    """One value with its interval (low, high), where it has one, and n, how many it rests on."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point] = field(default_factory=list)


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    note: str = "",
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    x_format: Format = short,
    y_format: Format = short,
    marks: Sequence[tuple[float, str]] = (),
    target: tuple[float, str] | None = None,
    height: float = 300,
) -> Chart:
    """Draw lines with bands for their intervals.

    The axes reach from the least to the greatest value, and over `x_range`; `y_range` stands for the values.
    `marks` are (x, name): dashed vertical lines, such as a new guideline version. `target` is (y, name): a
    dashed horizontal one. Lines without points are named in the legend all the same. Without any point the
    plot area stays empty. Points are drawn in the order given.
    """
    named, legend_height = legend([one.name for one in lines], 56, 14)
    if len(lines) < 2:
        named, legend_height = "", 0.0
    points = [point for one in lines for point in one.points]
    widest = [*(x_range or ()), *(x for x, _ in marks)]
    area = _area(points, legend_height, height, y_range, widest, target, bool(x_label))
    parts = [named, area.axes(x_label=x_label, y_label=y_label, x_format=x_format, y_format=y_format)]
    for x, name in marks:
        parts.append(rule(area.x(x), area.top, area.x(x), area.bottom, "reference"))
        fits = area.x(x) + 4 + text_width(name) <= WIDTH
        at, anchor = (area.x(x) + 4, "start") if fits else (area.x(x) - 4, "end")
        parts.append(text(at, area.top + 11, name, anchor=anchor))
    if target is not None:
        parts.append(rule(area.left, area.y(target[0]), area.right, area.y(target[0]), "reference"))
        parts.append(text(area.right, area.y(target[0]) - 5, target[1], anchor="end"))
    for index, one in enumerate(lines):
        parts.append(_drawn(one, area, series(index)))
    columns, rows = _table(lines, x_label, x_format, y_format)
    return Chart(drawing(title, height, parts, description=note), title, note, columns, rows)


def _area(
    points: Sequence[Point],
    legend_height: float,
    height: float,
    y_range: tuple[float, float] | None,
    extra_x: Sequence[float],
    target: tuple[float, str] | None,
    has_x_label: bool,
) -> Area:
    xs = [point.x for point in points] + list(extra_x) or [0.0, 1.0]
    ys = [value for p in points for value in (p.y, p.low, p.high) if value is not None]
    ys = (ys + ([target[0]] if target else [])) or [0.0, 1.0]
    low, high = y_range if y_range is not None else (min(ys), max(ys))
    bottom = height - (44 if has_x_label else 26)
    across = ticks(min(xs), max(xs), 6, whole=all(float(x).is_integer() for x in xs))
    return Area(56, 26 + legend_height, WIDTH - MARGIN, bottom, across, ticks(low, high))


def _drawn(one: Line, area: Area, css: str) -> str:
    parts = []
    banded = [point for point in one.points if point.low is not None and point.high is not None]
    if len(banded) > 1:
        up = [f"{number(area.x(p.x))},{number(area.y(p.high or 0.0))}" for p in banded]
        down = [f"{number(area.x(p.x))},{number(area.y(p.low or 0.0))}" for p in reversed(banded)]
        parts.append(f'<polygon class="band {css}" points="{" ".join(up + down)}"/>')
    elif banded:
        x, point = area.x(banded[0].x), banded[0]
        parts.append(rule(x, area.y(point.low or 0.0), x, area.y(point.high or 0.0), f"whisker {css}"))
    if len(one.points) > 1:
        path = " ".join(f"{number(area.x(p.x))},{number(area.y(p.y))}" for p in one.points)
        parts.append(f'<polyline class="line {css}" points="{path}"/>')
    if len(one.points) <= 40:
        for p in one.points:
            parts.append(
                f'<circle class="mark {css}" cx="{number(area.x(p.x))}" cy="{number(area.y(p.y))}" r="3.5"/>'
            )
    return "".join(parts)


def _table(
    lines: Sequence[Line], x_label: str, x_format: Format, y_format: Format
) -> tuple[list[str], list[list[str]]]:
    """One row an x, one column a line; an interval stands behind its value in brackets."""
    by_x: dict[float, dict[int, Point]] = {}
    for index, one in enumerate(lines):
        for point in one.points:
            by_x.setdefault(point.x, {})[index] = point
    rows = []
    for x in sorted(by_x):
        cells = [_cell(by_x[x].get(index), y_format) for index in range(len(lines))]
        rows.append([x_format(x), *cells])
    return [x_label, *(one.name for one in lines)], rows


def _cell(point: Point | None, y_format: Format) -> str:
    if point is None:
        return "–"
    cell = y_format(point.y)
    if point.low is not None and point.high is not None:
        cell += f" [{y_format(point.low)}, {y_format(point.high)}]"
    return cell + (f" n={point.n}" if point.n is not None else "")
