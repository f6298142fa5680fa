"""Figures of pairs: heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .svg import WIDE, WIDTH, Chart, Format, clipped, drawing, number, short, text, text_width

_STRONG = 0.55  # from here on the ground is strong enough for text in the colour "on accent"


def heat_map(
    values: Sequence[Sequence[float | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    note: str = "",
    value_range: tuple[float, float] | None = None,
    value_format: Format = short,
    row_label: str = "",
    column_label: str = "",
    links: Sequence[Sequence[str | None]] | None = None,
) -> Chart:
    """Draw one cell per (row, column), the darker the greater; None is drawn as an empty cell.

    `value_range` fixes which value is lightest and darkest (the range of the values themselves otherwise).
    Figures are written into the cells while they fit. `links[i][j]` makes a cell a link.

    Raises:
        ValueError: the shape of `values` is not len(rows) x len(columns).
    """
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        raise ValueError(f"a heat map of {len(rows)} x {len(columns)} names needs as many values")
    known = [value for row in values for value in row if value is not None]
    low, high = value_range or ((min(known), max(known)) if known else (0.0, 1.0))
    left = min(170.0, max([40.0, *(text_width(name) + 20 for name in rows)]))
    size = min((WIDE - left - 10) / max(len(columns), 1), 64.0)
    aslant = size < 60 or any(text_width(name) > size - 4 for name in columns)
    if aslant:  # the names lean out of the last column
        size = min(size, (WIDE - left - 60) / len(columns))
    tall = min(size, 40.0)
    fits = left + size * len(columns) + (60 if aslant else 10) <= WIDTH
    head = 24 + (min(110.0, max(text_width(name) for name in columns) + 6) if aslant else 16)
    parts = [text(left, 14, column_label), text(2, head - 8, row_label)]
    parts += [_column_name(name, left + size * (j + 0.5), head, aslant) for j, name in enumerate(columns)]
    for i, name in enumerate(rows):
        y = head + tall * i
        parts.append(text(left - 8, y + tall / 2 + 4, clipped(name, left - 10), anchor="end"))
        for j, value in enumerate(values[i]):
            label = f"{name} × {columns[j]}: {'–' if value is None else value_format(value)}"
            cell = _cell(left + size * j, y, size, tall, value, (low, high), value_format, label)
            link = links[i][j] if links is not None else None
            parts.append(f'<a href="{escape(link)}">{cell}</a>' if link else cell)
    table = [
        [name, *("–" if v is None else value_format(v) for v in row)]
        for name, row in zip(rows, values, strict=True)
    ]
    svg = drawing(title, head + tall * len(rows) + 8, parts, description=note, width=WIDTH if fits else WIDE)
    return Chart(svg, title, note, [row_label, *columns], table)


def _column_name(name: str, x: float, head: float, aslant: bool) -> str:
    if not aslant:
        return text(x, head - 8, name, anchor="middle")
    name = clipped(name, 110)
    return (
        f'<text x="{number(x + 4)}" y="{number(head - 6)}" '
        f'transform="rotate(-60 {number(x + 4)} {number(head - 6)})">{escape(name)}</text>'
    )


def _cell(
    x: float, y: float, width: float, height: float, value: float | None, span: tuple[float, float],
    value_format: Format, label: str,
) -> str:  # fmt: skip
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" rx="3"'
    named = f"<title>{escape(label)}</title>"
    if value is None:
        return f'<g>{named}<rect class="heat-none" {place}/></g>'
    low, high = span
    share = 0.5 if high == low else min(max((value - low) / (high - low), 0.0), 1.0)
    strength = 0.04 + 0.96 * share
    shown = value_format(value)
    written = ""
    if width >= 7 * len(shown) and height >= 15:
        css = "on-strong" if strength >= _STRONG else "on-weak"
        written = text(x + width / 2, y + height / 2 + 4, shown, anchor="middle", css=css)
    return f'<g>{named}<rect class="heat" fill-opacity="{number(strength)}" {place}/>{written}</g>'
