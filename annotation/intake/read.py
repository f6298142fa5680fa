"""The first station: a file becomes rows and bad rows, streaming, with memory that does not grow with the
file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from accounts.sentences import gettext_noop as _
from annotation.intake.csv_rows import csv_rows
from annotation.intake.jsonl_rows import jsonl_rows
from annotation.intake.lines import line_runs
from annotation.intake.parquet_rows import parquet_rows
from annotation.intake.records import BadRow, FileInfo, IntakeError, Limits, Row
from annotation.intake.sniffing import sniff

__all__ = [
    "BadRow",
    "FileInfo",
    "IntakeError",
    "Limits",
    "Row",
    "bad_rows_file",
    "bad_rows_suffix",
    "count_values",
    "rows",
    "sniff",
]

MOST_VALUES = 1000
TOO_MANY_VALUES = _(
    "column %(column)s has more than %(most)s values by line %(line)s: choose the column that holds the labels"
)


def rows(
    path: Path | str,
    info: FileInfo,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Row | BadRow]:
    """Every row of the file in order, the bad ones among them; blank lines are passed over.

    Never raises for what stands in the file: a cut-off or damaged file ends with a `BadRow` of code
    "truncated" or "damaged". `on_progress(done, total)` is called every few hundred kilobytes: bytes of the
    file, in Parquet rows.
    """
    path, limits = Path(path), limits or Limits()
    if info.format == "parquet":
        return parquet_rows(path, info, limits, on_progress)
    runs = line_runs(path, info, limits, on_progress)
    return jsonl_rows(runs, limits) if info.format == "jsonl" else csv_rows(runs, info, limits)


def count_values(path: Path | str, info: FileInfo, column: str) -> Counter[str]:
    """How often each value stands in a column: the labels of a labelled file, to make a schema from.

    Reads the whole file. Empty values are left out. `IntakeError` when there are more than `MOST_VALUES`:
    then the column holds texts or numbers rather than labels.
    """
    found: Counter[str] = Counter()
    for row in rows(path, info):
        if isinstance(row, Row):
            value = row.fields.get(column)
            text = "" if value is None else str(value).strip()
            if text:
                found[text] += 1
                if len(found) > MOST_VALUES:
                    raise IntakeError(
                        "mapping",
                        TOO_MANY_VALUES,
                        column=repr(column),
                        most=f"{MOST_VALUES:,}",
                        line=row.line,
                    )
    return found


def bad_rows_suffix(info: FileInfo) -> str:
    """The suffix for a file made by `bad_rows_file`: that of the format, and .jsonl for bad rows of a
    Parquet file."""
    return ".jsonl" if info.format in ("jsonl", "parquet") else f".{info.format}"


def bad_rows_file(info: FileInfo, bad_rows: Iterable[BadRow]) -> Iterator[str]:
    """The bad rows as a file of their own, line by line: mend it and import it like the first.

    UTF-8, with the original header. Rows whose raw text was not kept whole are left out: they stand in the
    report with their line number, and must be mended in the first file.
    """
    if info.header:
        yield info.header + "\n"
    for row in bad_rows:
        if row.whole and row.raw.strip():
            yield row.raw.replace("\r\n", "\n") + "\n"
