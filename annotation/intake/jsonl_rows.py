"""Rows of a JSON lines file: one object a line, strict JSON, no text that a database could not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from accounts.sentences import Sentence, SentenceError
from accounts.sentences import gettext_noop as _
from annotation.intake.lines import Line
from annotation.intake.records import BadRow, Limits, Row, bad_row, cell_too_large

# A JSON escape can smuggle in what the file's bytes could not hold: half a surrogate pair, or a NUL.
RISKY = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _no_constant(name: str) -> Any:
    raise SentenceError(_("%(name)s is no JSON"), name=name)


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def jsonl_rows(runs: Iterator[tuple[int, list[Line]]], limits: Limits) -> Iterator[Row | BadRow]:
    """Rows of the lines in `runs` (see `numbered_lines`); blank lines are passed over.

    Codes of bad rows: json (not one whole JSON object), truncated (the same, in a last line without a line
    end), encoding and nul (by escapes), cell_too_large, and those of the lines.
    """
    held: BadRow | None = None
    last = ""
    for number, lines in runs:
        for line in lines:
            if held is not None:
                yield held
                held = None
            if isinstance(line, BadRow):
                yield line
            elif line.strip():
                row = _row(number, line.removesuffix("\r"), limits)
                if isinstance(row, BadRow) and row.code == "json":
                    held = row  # it was cut off if nothing at all follows, not even an empty line
                    last = line
                else:
                    yield row
            number += 1
    if held is not None:
        if last.lstrip().startswith("{") and not last.rstrip().endswith("}"):
            message = Sentence(
                _("line %(line)s is the last and breaks off inside a JSON object: the file may be cut off"),
                line=held.line,
            )
            held = held._replace(code="truncated", message=message)
        yield held


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is; `SentenceError` with a phrase that says why it is none."""
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise SentenceError(
            _("is not JSON (%(reason)s at character %(at)s)"), reason=error.msg, at=error.pos + 1
        ) from error
    except RecursionError as error:
        raise SentenceError(_("is nested too deeply")) from error
    except ValueError as error:
        raise SentenceError(_("is not JSON (%(reason)s)"), reason=error) from error
    if not isinstance(value, dict):
        raise SentenceError(_('is JSON but not an object, expected {"column": value, ...}'))
    return value


def _row(number: int, line: str, limits: Limits) -> Row | BadRow:
    try:
        value = parse_object(line)
    except ValueError as error:
        message = Sentence(
            _("line %(line)s %(reason)s: write one JSON object a line"), line=number, reason=error
        )
        return bad_row(number, line, "json", message, limits)
    if RISKY.search(line):
        text = json.dumps(value, ensure_ascii=False)
        if NUL.search(text):
            message = Sentence(
                _("line %(line)s holds a NUL character, which no text may hold: take \\u0000 out"),
                line=number,
            )
            return bad_row(number, line, "nul", message, limits)
        try:
            text.encode()
        except UnicodeEncodeError:
            message = Sentence(
                _("line %(line)s holds half a surrogate pair (\\ud800 to \\udfff): write whole characters"),
                line=number,
            )
            return bad_row(number, line, "encoding", message, limits)
    if len(line) > limits.cell:
        largest = max((len(cell) for cell in value.values() if isinstance(cell, str)), default=0)
        if largest > limits.cell:
            return cell_too_large(number, line, largest, limits)
    return Row(number, value, line)
