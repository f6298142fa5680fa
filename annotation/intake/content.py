"""Dialogues, responses and drafts of a row: read, checked, and part of the item's identity."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from typing import TYPE_CHECKING, Any

from annotation.intake.normalise import content_hash, normalise
from annotation.task_types.content import check_data
from annotation.task_types.values import InvalidContent

if TYPE_CHECKING:
    from annotation.intake.validate import Mapping


class BadContent(ValueError):
    """Why a row's content cannot be taken; `message` goes on after "line 12 "."""

    code = "content"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def of_row(fields: AnyMapping[str, Any], mapping: Mapping) -> dict[str, Any]:
    """The item's `data` from the columns that `mapping` names; empty cells give nothing.

    Raises:
        BadContent: a cell is no JSON where JSON is expected, or what it holds cannot be taken.
    """
    given: dict[str, Any] = {}
    if mapping.messages and not _is_empty(fields.get(mapping.messages)):
        given["messages"] = _json(fields[mapping.messages], mapping.messages)
    if len(mapping.responses) == 1 and not _is_empty(fields.get(mapping.responses[0])):
        given["responses"] = _json(fields[mapping.responses[0]], mapping.responses[0])
    elif len(mapping.responses) > 1:
        given["responses"] = [str(fields.get(column) or "") for column in mapping.responses]
    if mapping.draft and not _is_empty(fields.get(mapping.draft)):
        given["draft"] = str(fields[mapping.draft])
    return checked(given)


def checked(given: Any) -> dict[str, Any]:
    """`check_data`, with its complaint as `BadContent`."""
    try:
        return check_data(given)
    except InvalidContent as error:
        raise BadContent(f"cannot be taken: {error}") from error


def hash_of(normalised: str, data: AnyMapping[str, Any]) -> str:
    """The content hash of a text with its dialogue and responses.

    The same prompt with other responses is another item. A draft does not count: it is a suggestion.
    """
    parts = [normalised]
    parts += [f"{turn['role']}: {normalise(turn['content'])}" for turn in data.get("messages", ())]
    parts += [normalise(one["text"]) for one in data.get("responses", ())]
    return content_hash("\x1f".join(parts) if len(parts) > 1 else normalised)


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == "" or cell == []


def _json(cell: Any, column: str) -> Any:
    """A cell of a CSV file is JSON text; JSONL and Parquet hold the list itself."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError as error:
        raise BadContent(
            f"has no JSON in {column!r} ({error}): write a list, or choose another column"
        ) from error
