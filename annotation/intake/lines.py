"""Bytes cut into decoded lines, with a bound on the length of a line.

The costly steps work on whole blocks: cutting, decoding and the search for NUL bytes. Only a block in which
one of them fails is looked at line by line.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.intake.records import BadRow, FileInfo, Limits, bad_row
from annotation.intake.source import Cut, blocks, line_encoding

Line = str | BadRow


def numbered_lines(
    blocks: Iterable[bytes], encoding: str, newline: str, limits: Limits
) -> Iterator[tuple[int, list[Line]]]:
    """Runs of lines as (number of the first, lines), 1 for the file's first line.

    A line keeps its "\\r" but not its "\\n" (or neither, where `newline` is "\\r"). In place of a line that
    is not valid in `encoding`, holds a NUL or is longer than `limits.record` bytes stands a `BadRow`. A
    stream that is cut off ends with the rest of its last line as a `BadRow` with code "truncated". Memory:
    two blocks and one line.
    """
    end = newline.encode()
    number, carry = 1, b""
    too_long = 0  # bytes of an overlong line that were let go, after its first `limits.record`
    try:
        for block in blocks:
            if end not in block:
                carry, too_long = _grow(carry, block, too_long, limits)
                continue
            head, _end, rest = block.partition(end)
            carry, too_long = _grow(carry, head, too_long, limits)
            if too_long:
                yield number, [_overlong(number, carry, too_long, encoding, limits)]
            else:
                yield number, _decode(carry, end, encoding, number, limits)
            number += 1
            whole, found, carry = rest.rpartition(end)
            if found:
                lines = _decode(whole, end, encoding, number, limits)
                yield number, lines
                number += len(lines)
            carry, too_long = _grow(b"", carry, 0, limits)
    except Cut as cut:
        raw = carry.decode(encoding, "backslashreplace")
        message = Sentence(
            _("line %(line)s: %(reason)s. All rows before it were read; get a whole copy for the rest"),
            line=number,
            reason=cut,
        )
        yield number, [bad_row(number, raw, "truncated", message, limits, whole=False)]
        return
    if too_long:
        yield number, [_overlong(number, carry, too_long, encoding, limits)]
    elif carry:
        yield number, [_last(line, carry, encoding) for line in _decode(carry, end, encoding, number, limits)]


def line_runs(
    path: Path, info: FileInfo, limits: Limits, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[int, list[Line]]]:
    """The numbered lines of a file as `sniff` described it."""
    stream = blocks(path, info.compression, info.encoding, on_progress)
    return numbered_lines(stream, line_encoding(info.encoding), info.newline, limits)


def _grow(carry: bytes, more: bytes, too_long: int, limits: Limits) -> tuple[bytes, int]:
    """The line so far with `more` added, up to the limit; and how many bytes beyond the limit were let go."""
    room = limits.record - len(carry)
    return carry + more[:room], too_long + max(0, len(more) - room)


def _decode(joined: bytes, end: bytes, encoding: str, number: int, limits: Limits) -> list[Line]:
    """The lines of `joined` (no line end at its end), each decoded or refused."""
    if b"\0" not in joined:
        try:
            return list(joined.decode(encoding).split(end.decode()))
        except UnicodeDecodeError:
            pass
    return [_one(line, encoding, number + i, limits) for i, line in enumerate(joined.split(end))]


def _one(line: bytes, encoding: str, number: int, limits: Limits) -> Line:
    if b"\0" in line:
        raw = line.decode(encoding, "backslashreplace").replace("\0", "\\x00")
        message = Sentence(
            _("line %(line)s holds a NUL byte, which no text may hold: take it out"), line=number
        )
        return bad_row(number, raw, "nul", message, limits)
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        raw = line.decode(encoding, "backslashreplace")
        message = Sentence(
            _(
                "line %(line)s is not valid %(encoding)s at byte %(start)s of the line "
                "(0x%(byte)s): save the line, or the whole file, as UTF-8"
            ),
            line=number,
            encoding=encoding,
            start=error.start + 1,
            byte=f"{line[error.start]:02x}",
        )
        return bad_row(number, raw, "encoding", message, limits)


def _last(line: Line, raw: bytes, encoding: str) -> Line:
    """A last line without a line end that breaks off inside a character was cut off, not written so."""
    if not isinstance(line, BadRow) or line.code != "encoding":
        return line
    try:
        codecs.getincrementaldecoder(encoding)().decode(raw, final=False)
    except UnicodeDecodeError:
        return line
    message = Sentence(
        _("line %(line)s is the last and ends inside a character: the file may be cut off"), line=line.line
    )
    return line._replace(code="truncated", message=message)


def _overlong(number: int, carry: bytes, too_long: int, encoding: str, limits: Limits) -> BadRow:
    raw = carry[: 4 * limits.raw].decode(encoding, "backslashreplace")
    message = Sentence(
        _(
            "line %(line)s is %(count)s bytes long, the limit is %(most)s: shorten it, or "
            "check for a missing line end"
        ),
        line=number,
        count=f"{len(carry) + too_long:,}",
        most=f"{limits.record:,}",
    )
    return bad_row(number, raw, "too_large", message, limits, whole=False)
