"""Rows of a Parquet file, a batch at a time, with memory that does not grow with the file's row groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.intake.records import (
    BadRow,
    FileInfo,
    IntakeError,
    Limits,
    Row,
    as_json,
    bad_row,
    cell_too_large,
)

BATCH_ROWS = 4096
BATCH_BYTES = 16_000_000


def open_parquet(path: Path) -> pq.ParquetFile:
    """The file, opened so that it is read in small pieces; `IntakeError` when it is no whole Parquet file."""
    try:
        return pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        message = Sentence(
            _("%(name)s is cut off or no Parquet file (%(reason)s): export it again, or get a whole copy"),
            name=path.name,
            reason=error,
        )
        raise IntakeError("damaged", message) from error


def parquet_rows(
    path: Path, info: FileInfo, limits: Limits, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Row | BadRow]:
    """Rows of the file as JSON values, nested ones and times included; `line` counts rows from 1, `raw` is
    "".

    Codes of bad rows: cell_too_large, encoding and nul (text no database may hold), damaged (a page cannot
    be read: rows before it have been read, those after it are lost). `on_progress` counts rows here, not
    bytes.
    """
    number = 1
    with open_parquet(path) as file:
        batches = file.iter_batches(batch_size=_batch_rows(file), use_threads=False)
        total = file.metadata.num_rows
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                columns = [_values(column) for column in batch.columns]
            except (pa.ArrowException, OSError) as error:
                message = Sentence(
                    _("from row %(row)s on the file is damaged (%(reason)s): get a whole copy for the rest"),
                    row=number,
                    reason=error,
                )
                yield bad_row(number, "", "damaged", message, limits, whole=False)
                return
            for cells in zip(*columns, strict=True):
                yield _row(number, dict(zip(info.columns, cells, strict=True)), limits)
                number += 1
            if on_progress is not None:
                on_progress(number - 1, total)


def _batch_rows(file: pq.ParquetFile) -> int:
    """Rows in a batch so that the widest row group's batch stays near `BATCH_BYTES`."""
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=1.0)
    return int(min(BATCH_ROWS, max(1, BATCH_BYTES // max(1.0, widest))))


def _values(column: pa.Array) -> list[Any]:
    """Python values of one column; what JSON does not know (times, decimals, bytes) as text."""
    try:
        values = column.to_pylist()
    except (
        UnicodeDecodeError
    ):  # a writer that put other bytes into a text column: `_row` refuses just those rows
        return [_plain(value) for value in column.cast(pa.large_binary()).to_pylist()]
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_integer(kind):
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else None  # JSON knows neither NaN nor infinity
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value)


def _row(number: int, fields: dict[str, Any], limits: Limits) -> Row | BadRow:
    for name, value in fields.items():
        if value.__class__ is not str:
            continue
        if len(value) > limits.cell:
            return cell_too_large(number, value, len(value), limits)
        if "\0" in value:
            message = Sentence(
                _("row %(row)s holds a NUL character in %(name)s, which no text may hold: take it out"),
                row=number,
                name=repr(name),
            )
            return bad_row(number, as_json(fields), "nul", message, limits)
        if not value.isascii() and _has_surrogate(value):
            message = Sentence(
                _("row %(row)s holds bytes in %(name)s that are not UTF-8: write text in the column"),
                row=number,
                name=repr(name),
            )
            return bad_row(number, as_json(fields), "encoding", message, limits)
    return Row(number, fields, "")


def _has_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
