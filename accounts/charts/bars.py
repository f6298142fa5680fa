"""Figures of things side by side: horizontal bars with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .svg import WIDTH, Area, Chart, Format, clipped, drawing, line, number, short, text, text_width, ticks


@dataclass(frozen=True)
class Bar:
    """`second` is drawn as a fainter bar behind, such as the deployed model's figure."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    second: float | None = None


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    note: str = "",
    x_label: str = "",
    second_label: str = "",
    value_range: tuple[float, float] | None = None,
    value_format: Format = short,
    name_label: str = "",
) -> Chart:
    """Draw one bar a name in the order given, from zero, with a whisker where there is an interval."""
    left = min(190.0, max([60.0, *(text_width(bar.name) + 20 for bar in bars)]))
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high, bar.second) if v is not None]
    low, high = value_range or (min([0.0, *values]), max([0.0, *values]) if values else 1.0)
    bottom = 12 + 26.0 * len(bars)
    area = Area(left, 8, WIDTH - 56, bottom, ticks(low, high), [0.0, 1.0])
    parts = []
    for value in area.x_ticks:
        parts.append(line(area.x(value), area.top, area.x(value), bottom, "grid"))
        parts.append(text(area.x(value), bottom + 18, value_format(value), anchor="middle"))
    for index, bar in enumerate(bars):
        parts.append(_drawn(bar, area, 12 + 26.0 * index, value_format))
    if x_label:
        parts.append(text((area.left + area.right) / 2, bottom + 36, x_label, anchor="middle"))
    columns = [name_label, x_label, "n"] + ([second_label] if second_label else [])
    svg = drawing(title, bottom + (44 if x_label else 26), parts, description=note)
    return Chart(svg, title, note, columns, [_row(bar, value_format, bool(second_label)) for bar in bars])


def _drawn(bar: Bar, area: Area, top: float, value_format: Format) -> str:
    zero = area.x(min(max(0.0, area.x_ticks[0]), area.x_ticks[-1]))
    parts = [text(area.left - 8, top + 14, clipped(bar.name, area.left - 12), anchor="end")]
    if bar.second is not None:
        parts.append(_rect(zero, area.x(bar.second), top + 1, 18, "bar s5 faint"))
    parts.append(_rect(zero, area.x(bar.value), top + 4, 12, "bar s0"))
    end = max(zero, area.x(bar.value))
    if bar.low is not None and bar.high is not None:
        parts.append(line(area.x(bar.low), top + 10, area.x(bar.high), top + 10, "axis"))
        end = max(end, area.x(bar.high))
    parts.append(text(end + 6, top + 14, value_format(bar.value), css="strong-text"))
    return "".join(parts)


def _rect(x1: float, x2: float, top: float, height: float, css: str) -> str:
    return (
        f'<rect class="{css}" x="{number(min(x1, x2))}" y="{number(top)}" '
        f'width="{number(abs(x2 - x1))}" height="{number(height)}" rx="2"/>'
    )


def _row(bar: Bar, value_format: Format, has_second: bool) -> list[str]:
    cell = value_format(bar.value)
    if bar.low is not None and bar.high is not None:
        cell += f" [{value_format(bar.low)}, {value_format(bar.high)}]"
    row = [bar.name, cell, "–" if bar.n is None else str(bar.n)]
    if has_second:
        row.append("–" if bar.second is None else value_format(bar.second))
    return row
