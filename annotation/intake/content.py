"""Dialogues, responses and drafts of a row: read, checked, and part of the item's identity."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from typing import TYPE_CHECKING, Any

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _
from annotation.intake.normalise import content_hash, normalise
from annotation.task_types.content import check_data
from annotation.task_types.values import InvalidContent

if TYPE_CHECKING:
    from annotation.intake.validate import Mapping

# Who speaks, in files whose turns are {"from", "value"}.
SPEAKERS = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "bot": "assistant", "model": "assistant",
    "system": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
RESPONSE_KEYS = ("text", "content", "response", "value")  # where a list of responses has objects


class BadContent(SentenceError):
    """Why a row's content cannot be taken: a sentence that goes on after "line 12 "."""

    code = "content"


def of_row(fields: AnyMapping[str, Any], mapping: Mapping) -> dict[str, Any]:
    """The item's `data` from the columns that `mapping` names; empty cells give nothing.

    Turns may be {"role", "content"} or {"from", "value"}. Where each response is a whole dialogue, its last turn
    is the response and what came before is the item's dialogue, which all of them must share.

    Raises:
        BadContent: a cell is no JSON where JSON is expected, or what it holds cannot be taken.
    """
    given: dict[str, Any] = {}
    if mapping.messages and not _is_empty(fields.get(mapping.messages)):
        given["messages"] = _turns(_json(fields[mapping.messages], mapping.messages))
    if mapping.responses:
        responses, before = _responses(fields, mapping)
        if responses:
            given["responses"] = responses
        if before and "messages" not in given:
            given["messages"] = before
    if mapping.draft and not _is_empty(fields.get(mapping.draft)):
        draft = fields[mapping.draft]
        given["draft"] = draft if isinstance(draft, str) else json.dumps(draft, ensure_ascii=False)
    return checked(given)


def response_ids(mapping: Mapping) -> dict[str, str]:
    """The id that the response of each column has: r1, r2 ... in the order of the mapping."""
    return {column: f"r{number}" for number, column in enumerate(mapping.responses, 1)}


def _responses(fields: AnyMapping[str, Any], mapping: Mapping) -> tuple[list[Any], list[Any]]:
    """The responses of a row, and the dialogue that they have in them."""
    cells: list[tuple[str | None, Any]]
    if len(mapping.responses) == 1:
        column = mapping.responses[0]
        found = [] if _is_empty(fields.get(column)) else _json(fields[column], column)
        if not isinstance(found, list):
            raise BadContent(
                _("has no list in %(column)s: write a list of responses, or name a column for each"),
                column=repr(column),
            )
        cells = [(None, cell) for cell in found]
    else:
        given = ((identity, fields.get(column)) for column, identity in response_ids(mapping).items())
        cells = [(identity, cell) for identity, cell in given if not _is_empty(cell)]
    responses, dialogues = [], []
    for identity, cell in cells:
        turns = _dialogue(cell)
        if turns:
            dialogues.append(turns[:-1])
            cell = turns[-1]["content"]
        responses.append(_response(cell, identity))
    if any(dialogue != dialogues[0] for dialogue in dialogues[1:]) or 0 < len(dialogues) < len(cells):
        raise BadContent(
            _("has responses to different dialogues: all turns before the last must be the same")
        )
    return responses, dialogues[0] if dialogues else []


def _response(cell: Any, identity: str | None) -> Any:
    """A response as `check_data` takes it; one that is no text is left for it to complain about."""
    if isinstance(cell, dict):
        text = next((cell[key] for key in RESPONSE_KEYS if key in cell), None)
        return {"id": cell.get("id") or identity, "text": text}
    return {"id": identity, "text": cell} if identity else cell


def _dialogue(cell: Any) -> list[Any]:
    """The turns, where a cell is a list of them or JSON text of one; else nothing."""
    if isinstance(cell, str) and cell.lstrip().startswith("[{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            return []
    if not isinstance(cell, list) or not cell:
        return []
    turns = _turns(cell)
    are_turns = all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns)
    return turns if are_turns else []


def _turns(given: Any) -> Any:
    """{"from", "value"} as {"role", "content"}; what is something else stays for `check_data` to judge."""
    if not isinstance(given, list):
        return given
    return [
        {"role": SPEAKERS.get(str(turn["from"]).casefold(), turn["from"]), "content": turn["value"]}
        if isinstance(turn, dict) and {"from", "value"} <= turn.keys()
        else turn
        for turn in given
    ]


def checked(given: Any) -> dict[str, Any]:
    """`check_data`, with its complaint as `BadContent`."""
    try:
        return check_data(given)
    except InvalidContent as error:
        raise BadContent(_("cannot be taken: %(reason)s"), reason=error) from error


def hash_of(normalised: str, data: AnyMapping[str, Any]) -> str:
    """The content hash of a text with its dialogue and responses.

    The same prompt with other responses is another item. A draft does not count: it is a suggestion.
    """
    parts = [normalised]
    parts += [f"{turn['role']}: {normalise(turn['content'])}" for turn in data.get("messages", ())]
    parts += [normalise(one["text"]) for one in data.get("responses", ())]
    return content_hash("\x1f".join(parts) if len(parts) > 1 else normalised)


def prompt_hash_of(normalised: str, data: AnyMapping[str, Any]) -> str:
    """The hash of what a model is asked alone: the dialogue where there is one, else the text. Items that share
    it are never divided between training and test."""
    turns = [f"{turn['role']}: {normalise(turn['content'])}" for turn in data.get("messages", ())]
    return content_hash("\x1f".join(turns) if turns else normalised)


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == "" or cell == []


def _json(cell: Any, column: str) -> Any:
    """A cell of a CSV file is JSON text; JSONL and Parquet hold the list itself."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise BadContent(
            _("has no JSON in %(column)s (%(reason)s): write a list, or choose another column"),
            column=repr(column),
            reason=error,
        ) from error
