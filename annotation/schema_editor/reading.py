"""A draft from what the editor's form sent."""

from __future__ import annotations

from collections.abc import Callable

from annotation.schema_editor import shapes
from annotation.schema_editor.draft import Draft, FieldDraft, Row
from annotation.task_types.registry import TASK_TYPES

Sent = Callable[[str], list[str]]
MOST_FIELDS = 30
MOST_ROWS = 2000


def read_draft(sent: Sent) -> Draft:
    """`sent(name)` gives the values sent under a name. "field" lists the keys of the fields in their order; all
    else of a field is named KEY.NAME, and the rows of a list are parallel values of KEY.LIST.NAME.
    """
    keys = [key for key in sent("field")[:MOST_FIELDS] if _last(sent, f"{key}.type") in TASK_TYPES]
    more = [column.strip() for column in _last(sent, "meta_more").split(",")]
    meta = list(dict.fromkeys(column for column in (*sent("meta"), *more) if column))
    return Draft(fields=[_field(key, sent) for key in keys], meta=meta)


def _field(key: str, sent: Sent) -> FieldDraft:
    kind = _last(sent, f"{key}.type")
    named = (*shapes.FIELD_TEXTS, *shapes.NUMBERS.get(kind, ()))
    found = FieldDraft(
        type=kind,
        texts={name: _last(sent, f"{key}.{name}") for name in named},
        flags={flag: bool(sent(f"{key}.{flag}")) for flag in shapes.FLAGS[kind]},
        lists={name: _rows(f"{key}.{name}", name, sent) for name in shapes.LISTS[kind]},
        when_field=_last(sent, f"{key}.when_field"),
        when_in=sent(f"{key}.when_in"),
    )
    if kind == "rating":
        found.anchors = {name: _padded(sent(f"{key}.{name}"), found.points) for name in shapes.ANCHORS}
    return found


def _rows(prefix: str, name: str, sent: Sent) -> list[Row]:
    columns = {text: sent(f"{prefix}.{text}") for text in shapes.OPTION_TEXTS[name]}
    count = min(len(columns["name"]), MOST_ROWS)
    return [
        {text: column[at] if at < len(column) else "" for text, column in columns.items()}
        for at in range(count)
    ]


def _padded(words: list[str], points: int) -> list[str]:
    """As many words as the scale has points, while that is a number."""
    return (words + [""] * points)[:points] if points else words


def _last(sent: Sent, name: str) -> str:
    return next(reversed(sent(name)), "")
