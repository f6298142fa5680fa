"""What kind of file this is: format, compression, encoding, delimiter, columns, and a look at its first
rows."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.intake.csv_rows import csv_rows, quote_is_open, split_line
from annotation.intake.encodings import choose_encoding
from annotation.intake.jsonl_rows import jsonl_rows, parse_object
from annotation.intake.lines import line_runs
from annotation.intake.parquet_rows import open_parquet, parquet_rows
from annotation.intake.records import FORMATS, BadRow, FileInfo, IntakeError, Limits, Row
from annotation.intake.source import GZIP_MAGIC, Cut, blocks

SAMPLE = 1 << 20
PREVIEW_ROWS = 10
PREVIEW_CELL = 300
DELIMITERS = (",", ";", "\t", "|")
# A file of one column has no delimiter; this character, which no text holds, lets commas stand in its cells
# unquoted.
NO_DELIMITER = "\x1f"
MAXIMUM_COLUMNS = 2000
LONGEST_HEADER = 200_000
SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# What people upload by mistake, by the first bytes of the file.
FOREIGN = {
    b"PK\x03\x04": _(
        "%(name)s is a zip archive or an Excel workbook: save the sheet as CSV UTF-8, or unpack the archive"
    ),
    b"\xd0\xcf\x11\xe0": _("%(name)s is an old Excel workbook: save the sheet as CSV UTF-8"),
    b"%PDF": _("%(name)s is a PDF: export the texts as CSV or JSON lines"),
    b"BZh": _("%(name)s is packed with bzip2: unpack it, or pack it with gzip"),
    b"\xfd7zXZ": _("%(name)s is packed with xz: unpack it, or pack it with gzip"),
    b"\x28\xb5\x2f\xfd": _("%(name)s is packed with zstd: unpack it, or pack it with gzip"),
    b"SQLite format 3": _("%(name)s is an SQLite database: export the table as CSV"),
}


def sniff(
    path: Path | str,
    *,
    format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    has_header: bool = True,
    name: str | None = None,
) -> FileInfo:
    """Find out how to read `path`; what the caller gives is believed, the rest is told from content, then
    from `name`.

    Reads at most the first megabyte (unpacked). `name` is the file's own name where it lies under another.
    Raises `IntakeError` where the file as a whole cannot be read: see its codes. A file that is cut off
    further on, or has bad rows, is not an error here: `rows` tells them one by one.
    """
    path = Path(path)
    name = name or path.name
    if format is not None and format not in FORMATS:
        raise IntakeError(
            "format",
            _("format %(format)s is not known: expected one of %(known)s"),
            format=repr(format),
            known=", ".join(FORMATS),
        )
    start = _first_bytes(path, name)
    if start.startswith(b"PAR1") or format == "parquet":
        return _sniff_parquet(path)
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise IntakeError("binary", what, name=name)
    compression = "gzip" if start.startswith(GZIP_MAGIC) else ""
    sample, whole = _sample(path, compression, name)
    encoding, text, warnings = choose_encoding(sample, name, encoding, whole=whole)
    if not text.strip():
        raise IntakeError(
            "empty",
            _("%(name)s holds nothing but white space: choose a file with a header line and rows"),
            name=name,
        )
    info = FileInfo(
        format="csv",
        compression=compression,
        encoding=encoding,
        newline="\r" if "\r" in text and "\n" not in text else "\n",
        size=path.stat().st_size,
        warnings=tuple(warnings),
    )
    if _is_jsonl(text, format, name):
        return _sniff_jsonl(path, replace(info, format="jsonl"), name)
    given = format if format in ("csv", "tsv") else _suffix(name)
    info = replace(info, format="tsv" if given == "tsv" else "csv")
    return _sniff_csv(path, info, text, delimiter, has_header, name)


def _first_bytes(path: Path, name: str) -> bytes:
    if not path.is_file():
        raise IntakeError("missing", _("%(name)s is no file: check the path"), name=name)
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise IntakeError(
            "empty", _("%(name)s is empty: choose a file with a header line and rows"), name=name
        )
    return start


def _sample(path: Path, compression: str, name: str) -> tuple[bytes, bool]:
    """The first unpacked megabyte as it stands in the file, byte order mark included; and whether that is
    all."""
    parts, size = [], 0
    try:
        for block in blocks(path, compression, "latin-1", keep_mark=True):
            parts.append(block)
            size += len(block)
            if size >= SAMPLE:
                return b"".join(parts)[:SAMPLE], False
    except Cut as cut:
        if not parts:
            raise IntakeError(
                "damaged",
                _("%(name)s: %(reason)s, and nothing before it: get a whole copy"),
                name=name,
                reason=cut,
            ) from cut
    if not parts:
        raise IntakeError(
            "empty",
            _("%(name)s holds nothing when unpacked: choose a file with a header line and rows"),
            name=name,
        )
    return b"".join(parts), True


def _suffix(name: str) -> str | None:
    return SUFFIXES.get(Path(name.lower().removesuffix(".gz")).suffix)


def _is_jsonl(text: str, format: str | None, name: str) -> bool:
    """Whether to read JSON lines: as told, else a first line that is a JSON object. A JSON array gets an
    error."""
    first = text.lstrip()
    if format in ("csv", "tsv"):
        return False
    wanted = format == "jsonl" or _suffix(name) == "jsonl"
    if first.startswith("[") and wanted:
        message = Sentence(
            _("%(name)s is one JSON array: write one object a line instead (jq -c '.[]' FILE > FILE.jsonl)"),
            name=name,
        )
        raise IntakeError("format", message)
    if wanted or not first.startswith("{"):
        return wanted
    try:
        parse_object(first.split("\n", 1)[0].split("\r", 1)[0])
    except ValueError:
        return False
    return True


def _sniff_jsonl(path: Path, info: FileInfo, name: str) -> FileInfo:
    """Columns are the keys of the first rows, in order of appearance; keys that come later may be read all
    the same."""
    limits = Limits()
    found = list(islice(jsonl_rows(line_runs(path, info, limits), limits), 100))
    good = [row for row in found if isinstance(row, Row)]
    if not good:
        first = next(row for row in found if isinstance(row, BadRow))
        raise IntakeError(
            "format",
            _("%(name)s has no JSON object in its first rows: %(reason)s"),
            name=name,
            reason=first.message,
        )
    columns = tuple(dict.fromkeys(key for row in good for key in row.fields))
    return replace(info, columns=columns, preview=_preview(good))


def _sniff_parquet(path: Path) -> FileInfo:
    with open_parquet(path) as file:
        columns = tuple(file.schema_arrow.names)
        count = file.metadata.num_rows
    if not count or not columns:
        raise IntakeError("empty", _("%(name)s has no rows: choose a file with rows"), name=path.name)
    columns, warnings = _named(columns)
    info = FileInfo(format="parquet", columns=columns, size=path.stat().st_size, warnings=tuple(warnings))
    rows = islice(parquet_rows(path, info, Limits()), PREVIEW_ROWS)
    return replace(info, preview=_preview([row for row in rows if isinstance(row, Row)]))


def _sniff_csv(
    path: Path, info: FileInfo, text: str, delimiter: str | None, has_header: bool, name: str
) -> FileInfo:
    lines = text.lstrip("\r\n").split(info.newline)
    if delimiter is None:
        delimiter = "\t" if info.format == "tsv" else _delimiter(lines, has_header)
    header, cells = _header(lines, delimiter, name)
    warnings: list[Sentence] = []
    if has_header:
        if len(cells) == 1 and delimiter == NO_DELIMITER:
            warnings.append(
                Sentence(_("the header names one column: commas in a row are taken as part of its text"))
            )
        columns, renamed = _named(cells)
        warnings += renamed
    else:
        columns, header = tuple(f"column {number}" for number in range(1, len(cells) + 1)), ""
    info = replace(
        info,
        delimiter=delimiter,
        columns=columns,
        header=header,
        has_header=has_header,
        warnings=(*info.warnings, *warnings),
    )
    found = list(islice(csv_rows(line_runs(path, info, Limits()), info, Limits()), 100))
    if not found:
        raise IntakeError("empty", _("%(name)s has a header but no rows: add rows below it"), name=name)
    good = [row for row in found if isinstance(row, Row)]
    first_bad = next((row for row in found if isinstance(row, BadRow)), None)
    if first_bad and not good:
        warning = Sentence(_("no row can be read so far: %(reason)s"), reason=first_bad.message)
        info = replace(info, warnings=(*info.warnings, warning))
    return replace(info, preview=_preview(good))


def _delimiter(lines: list[str], has_header: bool) -> str:
    """The delimiter with which most of the first lines have as many cells as the header; none for one column.

    Without a header nearly all lines must agree: else the commas are those of the texts.
    """
    best, best_score = NO_DELIMITER, (0.0 if has_header else 0.9, 0)
    for delimiter in DELIMITERS:
        widths = _widths(lines[:200], delimiter)
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(lines: list[str], delimiter: str) -> list[int]:
    """How many cells the first records have; lenient about quotes, for this only compares delimiters."""
    widths = []
    try:
        for cells in csv.reader((line + "\n" for line in lines), delimiter=delimiter):
            if cells:
                widths.append(len(cells))
    except csv.Error:
        pass
    return widths


def _header(lines: list[str], delimiter: str, name: str) -> tuple[str, list[str]]:
    """The header as it stands in the file, and its cells; a quoted column name may hold line ends."""
    header = ""
    for count, line in enumerate(lines[:50]):
        header = line if not count else f"{header}\n{line}"
        try:
            cells = split_line(header.removesuffix("\r"), delimiter)
        except csv.Error as error:
            if quote_is_open(error):
                continue
            break
        if len(cells) > MAXIMUM_COLUMNS or len(header) > LONGEST_HEADER:
            message = Sentence(
                _(
                    "the header of %(name)s names %(columns)s columns in %(characters)s characters, limits "
                    "%(most)s and %(longest)s: check the delimiter and the line ends"
                ),
                name=name,
                columns=f"{len(cells):,}",
                characters=f"{len(header):,}",
                most=f"{MAXIMUM_COLUMNS:,}",
                longest=f"{LONGEST_HEADER:,}",
            )
            raise IntakeError("header", message)
        return header.removesuffix("\r"), cells
    message = Sentence(
        _("the header of %(name)s has a quote that is out of place or never closed: mend the first line"),
        name=name,
    )
    raise IntakeError("header", message)


def _named(cells: tuple[str, ...] | list[str]) -> tuple[tuple[str, ...], list[Sentence]]:
    """Column names, each once and none empty; a warning for each that had to be made up."""
    names: list[str] = []
    warnings: list[Sentence] = []
    for number, cell in enumerate(cells, 1):
        wanted = " ".join(cell.split())[:200] or f"column {number}"
        name, again = wanted, 2
        while name in names:
            name, again = f"{wanted} ({again})", again + 1
        if not cell.strip():
            unnamed = _("column %(number)s has no name: it is called %(name)s here")
            warnings.append(Sentence(unnamed, number=number, name=repr(name)))
        elif name != wanted:
            twice = _("two columns are called %(wanted)s: column %(number)s is called %(name)s here")
            warnings.append(Sentence(twice, wanted=repr(wanted), number=number, name=repr(name)))
        names.append(name)
    return tuple(names), warnings


def _preview(good: list[Row]) -> tuple[dict[str, str], ...]:
    return tuple(
        {key: ("" if value is None else str(value))[:PREVIEW_CELL] for key, value in row.fields.items()}
        for row in good[:PREVIEW_ROWS]
    )
