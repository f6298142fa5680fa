"""Things with two figures: named points with intervals both ways, and scatters of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .svg import WIDTH, Area, Chart, Format, drawing, legend, line, number, series, short, text, ticks


@dataclass(frozen=True)
class Dot:
    """A named point, such as a person: pace against accuracy."""

    name: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    n: int | None = None


def point_chart(
    dots: Sequence[Dot],
    *,
    title: str,
    x_label: str,
    y_label: str,
    note: str = "",
    x_format: Format = short,
    y_format: Format = short,
    y_range: tuple[float, float] | None = None,
    name_label: str = "",
    height: float = 320,
) -> Chart:
    """Draw each dot with its name and whiskers."""
    xs = [v for d in dots for v in (d.x, d.x_low, d.x_high) if v is not None] or [0.0, 1.0]
    ys = [v for d in dots for v in (d.y, d.y_low, d.y_high) if v is not None] or [0.0, 1.0]
    low, high = y_range or (min(ys), max(ys))
    area = Area(56, 30, WIDTH - 70, height - 44, ticks(min(xs), max(xs), 6), ticks(low, high))
    parts = [area.axes(x_label=x_label, y_label=y_label, x_format=x_format, y_format=y_format)]
    rows = []
    for dot in dots:
        x, y = area.x(dot.x), area.y(dot.y)
        if dot.y_low is not None and dot.y_high is not None:
            parts.append(line(x, area.y(dot.y_low), x, area.y(dot.y_high), "whisker s0"))
        if dot.x_low is not None and dot.x_high is not None:
            parts.append(line(area.x(dot.x_low), y, area.x(dot.x_high), y, "whisker s0"))
        parts.append(f'<circle class="mark s0" cx="{number(x)}" cy="{number(y)}" r="5"/>')
        parts.append(text(x + 9, y - 6, dot.name, css="strong-text"))
        rows.append(
            [
                dot.name,
                _cell(dot.x, dot.x_low, dot.x_high, x_format),
                _cell(dot.y, dot.y_low, dot.y_high, y_format),
                "–" if dot.n is None else str(dot.n),
            ]
        )
    svg = drawing(title, height, parts, description=note)
    return Chart(svg, title, note, [name_label, x_label, y_label, "n"], rows)


def _cell(value: float, low: float | None, high: float | None, shown: Format) -> str:
    interval = f" [{shown(low)}, {shown(high)}]" if low is not None and high is not None else ""
    return shown(value) + interval


def scatter_chart(
    groups: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    note: str = "",
    group_label: str = "",
    count_label: str = "n",
    height: float = 380,
) -> Chart:
    """Draw a map of many points, such as pool, labelled and picked items in two dimensions.

    The axes have no unit and are left out. Groups are drawn in the order given, so the one to be seen comes
    last; the table says how many points each has. Draw a sample where there are more than a few thousand.
    """
    points = [point for group in groups.values() for point in group] or [(0.0, 0.0), (1.0, 1.0)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    named, used = legend(list(groups), 8, 14, dots=True)
    area = Area(8, 8 + used, WIDTH - 8, height - 8, _span(xs), _span(ys))
    parts = [named]
    last = len(groups) - 1
    for index, group in enumerate(groups.values()):
        radius = "4" if index == last and index else "2.6"
        faint = "" if index else " faint"
        css = f"mark {series(index)}{faint}"
        parts += [
            f'<circle class="{css}" cx="{number(area.x(x))}" cy="{number(area.y(y))}" r="{radius}"/>'
            for x, y in group
        ]
    rows = [[name, str(len(group))] for name, group in groups.items()]
    return Chart(
        drawing(title, height, parts, description=note), title, note, [group_label, count_label], rows
    )


def _span(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low, high] if low < high else [low - 0.5, high + 0.5]
