"""How every benchmark reports: a table for people, then one JSON line a figure. Names and form: BENCH.md."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: `theme.what.of`, as BENCH.md lists it; `--quick` adds the suffix.
        value: the number; None where it could not be measured, or has no finite value.
        unit: ms, s, ratio, share, 1/s, MB, count...
        against: what it is compared with, measured in the same run.
        ratio: value against that.
        skipped: why it could not be measured here.
    """

    name: str
    value: float | int | bool | None = None
    unit: str = ""
    against: str = ""
    ratio: float | None = None
    skipped: str = ""

    def to_json(self, suffix: str = "") -> dict[str, Any]:
        line: dict[str, Any] = {
            "name": self.name + suffix,
            "value": _finite(self.value),
            "unit": self.unit,
            "against": self.against,
            "ratio": _finite(self.ratio),
        }
        return {**line, "skipped": self.skipped} if self.skipped else line


def main(
    figures: Callable[[bool], Iterable[Figure]],
    arguments: list[str] | None = None,
    *,
    options: argparse.ArgumentParser | None = None,
) -> int:
    """The command line of a benchmark: `--quick` for a look within a minute, `--json FILE` for the lines in a
    file.

    Args:
        figures: called with True for `--quick`; yields the figures as they are measured.
        options: the benchmark's own, which it reads by itself; here they are only allowed, and told in
            --help.

    Returns:
        The exit status, 0.
    """
    doc = sys.modules[figures.__module__].__doc__ or ""
    own = [] if options is None else [options]
    parser = argparse.ArgumentParser(description=doc.strip().split("\n")[0], parents=own)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the lines to FILE")
    given = parser.parse_args(arguments)
    found: list[Figure] = []
    try:
        for figure in figures(given.quick):
            found.append(figure)
    finally:  # what was measured before something failed took its minutes too
        _tell(found, ".quick" if given.quick else "", given.json)
    return 0


def _tell(found: list[Figure], suffix: str, path: Path | None) -> None:
    lines = [json.dumps(figure.to_json(suffix), ensure_ascii=False) for figure in found]
    print(table(found, suffix))
    print("\n".join(lines), flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(figures: Iterable[Figure], suffix: str = "") -> str:
    """Figures in aligned columns: name, value, unit, what it stands against, ratio."""
    rows = [("figure", "value", "unit", "against", "ratio")]
    for figure in figures:
        value = f"skipped: {figure.skipped}" if figure.skipped else _shown(figure.value)
        rows.append((figure.name + suffix, value, figure.unit, figure.against, _shown(figure.ratio, none="")))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _finite(value: float | int | bool | None) -> float | int | bool | None:
    """JSON knows neither NaN nor infinity: they become null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: float | int | bool | None, none: str = "–") -> str:
    if value is None:
        return none
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
