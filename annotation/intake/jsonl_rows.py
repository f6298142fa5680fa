"""Rows of a JSON lines file: one object a line, strict JSON, no text that a database could not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from annotation.intake.lines import Line
from annotation.intake.records import BadRow, Limits, Row, bad_row, cell_too_large

# A JSON escape can smuggle in what the file's bytes could not hold: half a surrogate pair, or a NUL.
RISKY = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


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
            message = (
                f"line {held.line} is the last and breaks off inside a JSON object: the file may be cut off"
            )
            held = held._replace(code="truncated", message=message)
        yield held


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is; ValueError with a phrase that says why it is none."""
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError('is JSON but not an object, expected {"column": value, ...}')
    return value


def _row(number: int, line: str, limits: Limits) -> Row | BadRow:
    try:
        value = parse_object(line)
    except ValueError as error:
        message = f"line {number} {error}: write one JSON object a line"
        return bad_row(number, line, "json", message, limits)
    if RISKY.search(line):
        text = json.dumps(value, ensure_ascii=False)
        if NUL.search(text):
            message = f"line {number} holds a NUL character, which no text may hold: take \\u0000 out"
            return bad_row(number, line, "nul", message, limits)
        try:
            text.encode()
        except UnicodeEncodeError:
            message = (
                f"line {number} holds half a surrogate pair (\\ud800 to \\udfff): write whole characters"
            )
            return bad_row(number, line, "encoding", message, limits)
    if len(line) > limits.cell:
        largest = max((len(cell) for cell in value.values() if isinstance(cell, str)), default=0)
        if largest > limits.cell:
            return cell_too_large(number, line, largest, limits)
    return Row(number, value, line)
