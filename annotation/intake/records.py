"""The small types that pass from station to station, and the errors that stop an import before its first
row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from accounts.sentences import Sentence, SentenceError
from accounts.sentences import gettext_noop as _

FORMATS = ("csv", "tsv", "jsonl", "parquet")


class IntakeError(SentenceError):
    """The file as a whole cannot be read. `code` names the case; `guess` is an encoding worth a try, if any.

    Codes: missing, empty, format, binary, encoding, header, mapping, damaged.
    """

    def __init__(self, code: str, template: str, /, *, guess: str | None = None, **parameters: Any) -> None:
        super().__init__(template, **parameters, **({"guess": guess} if guess else {}))
        self.code = code
        self.guess = guess


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What bounds the memory of an import. A row beyond a limit is a `BadRow`, never an exception.

    `cell` is the longest cell in characters, `record` the longest row in bytes of the file, and `raw` how
    many characters of a bad row are kept.
    """

    cell: int = 1_000_000
    record: int = 4_000_000
    raw: int = 10_000


class Row(NamedTuple):
    """One row as read. `line` is where it begins (1 = first line of the file; in Parquet the row's number).

    `fields` maps column to value: text in CSV and TSV, JSON values in JSONL and Parquet. `raw` is the row
    as it stands in the file, "" in Parquet.
    """

    line: int
    fields: dict[str, Any]
    raw: str


class BadRow(NamedTuple):
    """A row that was not taken: where it is, what it was, and why. It never stops the import.

    `raw` is cut at `Limits.raw` characters, and `whole` says whether all of the row is there; bytes that
    are no text stand in it as `\\xe9`. `code` is for programs and counts, `message` is a sentence for
    people.
    """

    line: int
    raw: str
    code: str
    message: Sentence
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """What `sniff` found out about a file; all that `rows` needs to read it, and JSON for a job's parameters.

    `header` is the header line as it stands in the file ("" without one); `first_line` the line of the
    first row; `preview` the first rows as column -> text, `warnings` for the person who imports.
    """

    format: str
    compression: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    newline: str = "\n"
    columns: tuple[str, ...] = ()
    header: str = ""
    has_header: bool = True
    size: int = 0
    preview: tuple[dict[str, str], ...] = ()
    warnings: tuple[Sentence, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "warnings": [one.to_json() for one in self.warnings]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FileInfo:
        listed = {key: tuple(stored[key]) for key in ("columns", "preview") if key in stored}
        warnings = tuple(
            Sentence.from_json(one) if isinstance(one, Mapping) else Sentence(one)  # text: from before
            for one in stored.get("warnings", ())
        )
        return cls(**{**stored, **listed, "warnings": warnings})


def bad_row(
    line: int, raw: str, code: str, message: Sentence, limits: Limits, *, whole: bool = True
) -> BadRow:
    """A `BadRow` whose raw text is cut at the limit."""
    return BadRow(line, raw[: limits.raw], code, message, whole and len(raw) <= limits.raw)


def cell_too_large(line: int, raw: str, found: int, limits: Limits) -> BadRow:
    """The bad row for a cell of `found` characters."""
    message = Sentence(
        _("line %(line)s has a cell of %(found)s characters, the limit is %(cell)s: shorten it"),
        line=line,
        found=f"{found:,}",
        cell=f"{limits.cell:,}",
    )
    return bad_row(line, raw, "cell_too_large", message, limits, whole=False)


def as_json(fields: Any) -> str:
    """A row as one JSON line: how a bad row of a Parquet file is shown, mended and imported again."""
    text = json.dumps(fields, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def as_text(value: Any) -> str:
    """A JSON value as a cell would show it; 1.0 as "1", since ids become floats in data frames."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return as_json(value) if isinstance(value, (dict, list)) else str(value)
