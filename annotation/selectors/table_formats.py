"""Tables as a stream of bytes: JSON lines, CSV, Parquet. Memory is one block of rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.selectors.csv_cells import guarded

Rows = list[tuple[Any, ...]]
Columns = dict[str, str]  # name -> kind: text, integer, number, flag, time, json, or one of NESTED

# lists of labels, turns of a dialogue, spans, relations between spans
NESTED = {
    "texts": pa.list_(pa.string()),
    "turns": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    "spans": pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())])),
    "links": pa.list_(pa.struct([("from", pa.int64()), ("to", pa.int64()), ("label", pa.string())])),
}
_ARROW = {
    **NESTED,
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}


def jsonl(columns: Columns, blocks: Iterable[Rows]) -> Iterator[bytes]:
    names = tuple(columns)
    encode = json.JSONEncoder(ensure_ascii=False, default=_shown).encode
    for block in blocks:
        yield "".join(f"{encode(dict(zip(names, row, strict=True)))}\n" for row in block).encode()


def comma_separated(columns: Columns, blocks: Iterable[Rows]) -> Iterator[bytes]:
    """CSV as spreadsheets like it: UTF-8 with a mark, and no cell that would be run as a formula."""
    kinds = tuple(columns.values())
    yield ("\ufeff" + ",".join(columns) + "\r\n").encode()
    for block in blocks:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerows(
            [_cell(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in block
        )
        yield buffer.getvalue().encode()


def parquet(columns: Columns, blocks: Iterable[Rows]) -> Iterator[bytes]:
    """A row group a block."""
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in columns.items()])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for block in blocks:
            cells = zip(*block, strict=True)
            arrays = [
                pa.array(
                    [_as_json(value) for value in values] if kind == "json" else values, type=_ARROW[kind]
                )
                for values, kind in zip(cells, columns.values(), strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


FORMATS: dict[str, tuple[Callable[[Columns, Iterable[Rows]], Iterator[bytes]], str]] = {
    "jsonl": (jsonl, "application/x-ndjson"),
    "csv": (comma_separated, "text/csv; charset=utf-8"),
    "parquet": (parquet, "application/vnd.apache.parquet"),
}


class _Sink(io.RawIOBase):
    """A file that only remembers what was written since the last look."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return ""
    if kind == "json":
        return guarded(_as_json(value))
    if kind == "flag":
        return "true" if value else "false"
    return value.astimezone(UTC).isoformat() if kind == "time" else guarded(value)


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
