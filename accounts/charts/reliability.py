"""How far a model's confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .svg import Area, Chart, as_percent, drawing, line, number, text, ticks

_SIDE = 420.0


@dataclass(frozen=True)
class Bin:
    """Predictions of one band of confidence: mean confidence, share that was right, how many."""

    confidence: float
    accuracy: float
    n: int


def reliability_chart(
    bins: Sequence[Bin],
    *,
    title: str,
    x_label: str,
    y_label: str,
    note: str = "",
) -> Chart:
    """Draw accuracy against confidence; on the diagonal both are equal. A mark's area grows with its n."""
    marks = ticks(0.0, 1.0)
    area = Area(56, 30, _SIDE - 28, _SIDE - 60, marks, marks)
    parts = [
        area.axes(x_label=x_label, y_label=y_label, x_format=as_percent, y_format=as_percent),
        line(area.x(0), area.y(0), area.x(1), area.y(1), "reference"),
    ]
    most = max((one.n for one in bins), default=0)
    for one in bins:
        if not one.n:
            continue
        x, y = area.x(one.confidence), area.y(one.accuracy)
        parts.append(line(x, area.y(one.confidence), x, y, "whisker s1"))
        radius = 3 + 9 * (one.n / most) ** 0.5
        parts.append(f'<circle class="mark s0" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>')
    parts.append(text(area.left, _SIDE - 8, f"n = {sum(one.n for one in bins)}"))
    rows = [[as_percent(one.confidence), as_percent(one.accuracy), str(one.n)] for one in bins if one.n]
    svg = drawing(title, _SIDE, parts, description=note, width=_SIDE)
    return Chart(svg, title, note, [x_label, y_label, "n"], rows)
