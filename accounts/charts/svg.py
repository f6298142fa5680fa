"""What all charts share: safe text, a plot area with axes, and the result with its table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

Format = Callable[[float], str]
WIDTH = 480.0  # narrow, so that it can still be read when a telephone shows it at 0.65 of its size
WIDE = 640.0  # of what has many columns: there it is moved sideways
MARGIN = 14.0  # right of a plot area
SERIES_CLASSES = 6


class Svg(str):
    """Finished markup. Templates ask `__html__` and leave it as it is."""

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in words, and the same figures as a table of text."""

    svg: Svg
    title: str
    note: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def number(value: float) -> str:
    """A coordinate: short, never in the form 1e-7."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def short(value: float) -> str:
    """A figure on an axis: 0.25, 12, 3,400, 2.5M."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def text(x: float, y: float, content: str, *, anchor: str = "start", css: str = "") -> str:
    chosen = f' class="{css}"' if css else ""
    return f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}"{chosen}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" class="{css}"/>'


def series(index: int) -> str:
    """The class of the index-th series: colour and, for lines, a dash of its own."""
    return f"s{index % SERIES_CLASSES}"


def drawing(
    title: str, height: float, parts: Sequence[str], *, description: str = "", width: float = WIDTH
) -> Svg:
    """Wrap the parts in an <svg> that screen readers announce by its title."""
    described = f"<desc>{escape(description)}</desc>" if description else ""
    css = {WIDTH: "plot", WIDE: "plot wide"}.get(width, "plot small")
    return Svg(
        f'<svg class="{css}" role="img" viewBox="0 0 {number(width)} {number(height)}" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{described}{"".join(parts)}</svg>'
    )


def ticks(low: float, high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """About `count` round numbers that cover [low, high], ends included; equal ends get a span. `whole`: no
    fractions, where there are none between the things that are counted.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            f"an axis from {low} to {high} cannot be drawn: leave out values that are not finite"
        )
    if low == high and whole:
        low, high = low - 1, high + 1
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low == 0 else (low - abs(low) / 2, high + abs(high) / 2)
    rough = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= rough * 0.999), 10 * power)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Area:
    """The plot area in drawing units, and the data range it shows."""

    left: float
    top: float
    right: float
    bottom: float
    x_ticks: list[float]
    y_ticks: list[float]

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * _share(value, self.x_ticks)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * _share(value, self.y_ticks)

    def axes(
        self, *, x_label: str = "", y_label: str = "", x_format: Format = short, y_format: Format = short
    ) -> str:
        """Grid lines, figures at the ticks, and the names of the axes."""
        parts = []
        for value in self.y_ticks:
            parts.append(line(self.left, self.y(value), self.right, self.y(value), "grid"))
            parts.append(text(self.left - 8, self.y(value) + 4, y_format(value), anchor="end"))
        for value in self.x_ticks:
            said = x_format(value)
            # a long one at the last tick, such as a date, would be cut off at the edge; some fonts are wide
            at = min(self.x(value), self.right + MARGIN - 0.56 * text_width(said))
            parts.append(text(at, self.bottom + 18, said, anchor="middle"))
        parts.append(line(self.left, self.bottom, self.right, self.bottom, "axis"))
        if x_label:
            parts.append(text((self.left + self.right) / 2, self.bottom + 36, x_label, anchor="middle"))
        if y_label:
            parts.append(text(2, self.top - 10, y_label))
        return "".join(parts)


def _share(value: float, marks: Sequence[float]) -> float:
    return (value - marks[0]) / (marks[-1] - marks[0])


def legend(
    names: Sequence[str], x: float, y: float, *, per_line: float = 560, dots: bool = False
) -> tuple[str, float]:
    """A swatch (a piece of line, or a dot) and a name per series in lines of at most `per_line`; returns the
    markup and its height.
    """
    parts, at, row = [], x, 0
    for index, name in enumerate(names):
        width = 30 + text_width(name)
        if at > x and at + width > x + per_line:
            at, row = x, row + 1
        top = y + 18 * row
        if dots:
            parts.append(
                f'<circle cx="{number(at + 8)}" cy="{number(top - 4)}" r="5" class="mark {series(index)}"/>'
            )
        else:
            parts.append(line(at, top - 4, at + 16, top - 4, f"line {series(index)}"))
        parts.append(text(at + 21, top, name))
        at += width
    return "".join(parts), 18.0 * (row + 1)


def text_width(content: str, size: float = 12) -> float:
    """About how wide a text is: CJK characters are square, others a bit over half."""
    return sum(size if ord(char) > 0x2E7F else 0.56 * size for char in content)


def clipped(content: str, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width`."""
    if text_width(content) <= width:
        return content
    while content and text_width(content) + 8 > width:
        content = content[:-1]
    return content.rstrip() + "…"
