"""Rows of a CSV or TSV file: strict about quotes, and never led astray by one for long.

A line without a quote is split at the delimiter. A line with one goes through `csv` in strict mode,
together with as many following lines as its open quote needs. Where that fails, only the first line is
refused and reading goes on at the second, so that a stray quote costs one row and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.intake.lines import Line
from annotation.intake.records import BadRow, FileInfo, Limits, Row, bad_row, cell_too_large

QUOTE = '"'
LONGEST_RECORD = 20_000  # lines in one quoted cell; short lines cost more memory than their characters
Numbered = tuple[int, Line]

# The module's own limit of 131,072 characters is one for the whole process; `Limits` bounds what is handed
# to it.
csv.field_size_limit(1 << 31)


def csv_rows(
    runs: Iterable[tuple[int, list[Line]]], info: FileInfo, limits: Limits
) -> Iterator[Row | BadRow]:
    """Rows of the lines in `runs` (see `numbered_lines`), the header line included in `runs` but not in the
    answer.

    Blank lines are passed over. A quoted cell may hold line ends. Codes of bad rows: ragged (too few or too
    many cells), quote (a quote that is out of place or never closed), cell_too_large, and those of the
    lines.
    """
    return _Records(runs, info, limits).rows()


def split_line(text: str, delimiter: str) -> list[str]:
    """The cells of one record; `csv.Error` where its quotes are not in order, also when one is still open."""
    return next(csv.reader([text], delimiter=delimiter, strict=True), [])


def quote_is_open(error: csv.Error) -> bool:
    """Whether the record only wants more lines. The csv module tells this by its message alone."""
    return "unexpected end of data" in str(error)


class _Records:
    """One pass over the lines, with a place to put lines back."""

    def __init__(self, runs: Iterable[tuple[int, list[Line]]], info: FileInfo, limits: Limits) -> None:
        self.info = info
        self.limits = limits
        self.back: deque[Numbered] = deque()
        self.lines = self._numbered((number + i, line) for number, run in runs for i, line in enumerate(run))
        # Up to this line an open quote was looked for its end in vain. A line with an even number of quotes
        # would look through the same lines again, and a file of such lines would take forever.
        self.hopeless = 0

    def rows(self) -> Iterator[Row | BadRow]:
        if self.info.has_header:
            self._skip_header()
        yield from self._parsed()
        while self.back:  # lines put back after the last one had been read
            rest, self.back = self.back, deque()
            self.lines = self._numbered(rest)
            yield from self._parsed()

    def _numbered(self, source: Iterable[Numbered]) -> Iterator[Numbered]:
        for numbered in source:
            yield numbered
            while self.back:
                yield self.back.popleft()

    def _skip_header(self) -> None:
        """Read past the header: the first line that is not blank, and more where a quoted name has line
        ends."""
        for _number, line in self.lines:
            if isinstance(line, BadRow) or line.strip():
                break
        for _line in range(self.info.header.count("\n")):
            next(self.lines, None)

    def _parsed(self) -> Iterator[Row | BadRow]:
        columns, width, delimiter = self.info.columns, len(self.info.columns), self.info.delimiter
        cell_limit = self.limits.cell
        for number, line in self.lines:
            if isinstance(line, BadRow):
                yield line
                continue
            raw = line.removesuffix("\r")
            if QUOTE in raw:
                found = self._quoted(number, raw)
                if isinstance(found, BadRow):
                    yield found
                    continue
                raw, cells = found
            elif raw:
                cells = raw.split(delimiter)
            else:
                continue
            if len(cells) != width:
                yield self._ragged(number, raw, len(cells))
            elif len(raw) > cell_limit and max(map(len, cells)) > cell_limit:
                yield cell_too_large(number, raw, max(map(len, cells)), self.limits)
            else:
                yield Row(number, dict(zip(columns, cells, strict=True)), raw)

    def _quoted(self, number: int, first: str) -> tuple[str, list[str]] | BadRow:
        """The record that begins with the line `first`, as (raw, cells); or why it is none, its other lines
        put back."""
        try:
            return first, split_line(first, self.info.delimiter)
        except csv.Error as error:
            if not quote_is_open(error) or (number <= self.hopeless and first.count(QUOTE) % 2 == 0):
                return self._misquoted(number, first)
        pending: list[Numbered] = []
        texts = [first]
        size = len(first)
        for numbered in self.lines:
            pending.append(numbered)
            line = numbered[1]
            if isinstance(line, BadRow):
                break  # a line inside the quotes cannot be read: nor can the cell be trusted
            texts.append(line)
            size += len(line) + 1
            if size > self.limits.record or len(pending) > LONGEST_RECORD:
                return self._too_long(number, texts, pending)
            if line.count(QUOTE) % 2 == 0:
                continue  # quotes come in pairs inside a quoted cell: an even number cannot close it
            raw = "\n".join(texts).removesuffix("\r")
            try:
                return raw, split_line(raw, self.info.delimiter)
            except csv.Error as error:
                if not quote_is_open(error):
                    break
        else:
            self.hopeless = max(self.hopeless, pending[-1][0] if pending else number)
        self.back.extendleft(reversed(pending))
        return self._misquoted(number, first)

    def _too_long(self, number: int, texts: list[str], pending: list[Numbered]) -> BadRow:
        """A quote still open after `limits.record` characters or as many lines as may be: a stray one if
        what follows looks like rows, and then these lines are put back; else a giant cell, which is passed
        over up to its closing quote."""
        followers = texts[1:1001]
        alike = sum(line.count(self.info.delimiter) == len(self.info.columns) - 1 for line in followers)
        if len(self.info.columns) > 1 and 2 * alike > len(followers):
            self.hopeless = pending[-1][0]
            self.back.extendleft(reversed(pending))
            return self._misquoted(number, texts[0])
        raw = "\n".join(texts)[: self.limits.raw]
        last, line = pending[-1]
        while isinstance(line, BadRow) or line.count(QUOTE) % 2 == 0:
            last, line = next(self.lines, (0, QUOTE))
        if not last:
            message = Sentence(
                _(
                    "the quote that opens in line %(line)s is never closed: close it, or double a "
                    "quote that stands inside a cell"
                ),
                line=number,
            )
            return bad_row(number, raw, "quote", message, self.limits, whole=False)
        message = Sentence(
            _(
                "the cell in lines %(line)s to %(last)s is too long (limits: %(most)s "
                "characters, %(lines)s lines): shorten it, or check the quote that opens in "
                "line %(line)s"
            ),
            line=number,
            last=last,
            most=f"{self.limits.record:,}",
            lines=f"{LONGEST_RECORD:,}",
        )
        return bad_row(number, raw, "cell_too_large", message, self.limits, whole=False)

    def _misquoted(self, number: int, raw: str) -> BadRow:
        message = Sentence(
            _(
                "line %(line)s has a quote that is out of place or never closed: put a cell that "
                'holds quotes in quotes, and double those inside it: "say ""hi"""'
            ),
            line=number,
        )
        return bad_row(number, raw, "quote", message, self.limits)

    def _ragged(self, number: int, raw: str, found: int) -> BadRow:
        width = len(self.info.columns)
        names = ", ".join(self.info.columns[:6]) + (", …" if width > 6 else "")
        few = _("line %(line)s has %(found)s of %(width)s cells (%(names)s): add the missing ones")
        many = _(
            "line %(line)s has %(found)s cells, expected %(width)s (%(names)s): put a cell that holds the "
            "delimiter in quotes"
        )
        message = Sentence(many if found > width else few, line=number, found=found, width=width, names=names)
        return bad_row(number, raw, "ragged", message, self.limits)
