"""What the buttons of the editor do to a draft: fields and options added, moved, removed, many at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from annotation.schema_editor import shapes
from annotation.schema_editor.draft import Draft, FieldDraft, Row, draft_of
from annotation.schema_editor.reading import MOST_ROWS
from annotation.selectors.choices import COLOURS
from annotation.task_types.labels import folded
from annotation.task_types.registry import TASK_TYPES

DEALT = ("blue", "green", "amber", "purple", "teal", "red", "pink", "grey")
assert set(DEALT) <= COLOURS


def starting_draft() -> Draft:
    """What a project without a schema begins from: one label out of two, to be named."""
    draft = Draft()
    add_field(draft, "classification")
    draft.focus = "f0-labels-0-name"
    return draft


def edit(draft: Draft, action: str, *, new_type: str = "", pasted: str = "") -> None:
    """Carry out "VERB:FIELD:LIST:ROW", as the buttons send it; what names nothing that is there does nothing."""
    verb, *where = action.split(":")
    if verb == "add-field":
        add_field(draft, new_type)
        return
    at = _position(where[:1], len(draft.fields))
    if at is None:
        return
    one = draft.fields[at]
    if verb in ("remove-field", "up-field", "down-field"):
        _move(draft.fields, at, verb.removesuffix("-field"))
        draft.focus = f"f{max(0, min(at + _STEPS[verb.removesuffix('-field')], len(draft.fields) - 1))}-title"
        return
    rows = one.lists.get(where[1]) if len(where) > 1 else None
    if rows is None:
        return
    _edit_rows(draft, at, where[1], rows, verb, where[2:], pasted)


_STEPS = {"remove": 0, "up": -1, "down": 1}


def _edit_rows(
    draft: Draft, at: int, name: str, rows: list[Row], verb: str, where: list[str], pasted: str
) -> None:
    if verb == "add-option":
        rows.append(_empty(name, len(rows)))
        draft.focus = f"f{at}-{name}-{len(rows) - 1}-name"
    elif verb == "paste":
        paste(name, rows, pasted)
        draft.focus = f"f{at}-{name}-paste"
    elif (row := _position(where, len(rows))) is not None and verb.removesuffix("-option") in _STEPS:
        step = verb.removesuffix("-option")
        _move(rows, row, step)
        now = max(0, min(row + _STEPS[step], len(rows) - 1))
        draft.focus = f"f{at}-{name}-{now}-name" if step == "remove" else f"f{at}-{name}-{now}-{step}"


def add_field(draft: Draft, kind: str) -> None:
    if kind not in TASK_TYPES:
        return
    taken = {one.texts["name"] for one in draft.fields}
    first = shapes.FIRST_NAMES[kind]
    name = next(name for name in (first, *(f"{first}_{n}" for n in range(2, 99))) if name not in taken)
    named = (*shapes.FIELD_TEXTS, *shapes.NUMBERS.get(kind, ()))
    made = FieldDraft(
        type=kind,
        texts={**dict.fromkeys(named, ""), "name": name},
        flags=dict(shapes.FLAGS[kind]),
        lists={key: [] for key in shapes.LISTS[kind]},
    )
    for key, count in (("labels", 2), ("dimensions", 1)):
        if key in made.lists:
            made.lists[key] = [_empty(key, number) for number in range(count)]
    if kind == "rating":
        made.anchors = {key: [""] * made.points for key in shapes.ANCHORS}
    draft.fields.append(made)
    draft.focus = f"f{len(draft.fields) - 1}-title"


def paste(name: str, rows: list[Row], text: str) -> None:
    """A row for each line: a name, or cells divided by tabs as a spreadsheet has them (name, Chinese name, when
    to use it). Names that are there already are left out; empty rows give way.
    """
    rows[:] = [row for row in rows if any(cell.strip() for key, cell in row.items() if key != "colour")]
    there = {folded(row["name"]) for row in rows}
    for line in text.splitlines():
        cells = [" ".join(cell.split()) for cell in line.split("\t")]
        if not cells[0] or folded(cells[0]) in there or len(rows) >= MOST_ROWS:
            continue
        there.add(folded(cells[0]))
        row = _empty(name, len(rows))
        row.update(zip(("name", "name_zh", "description"), cells, strict=False))
        rows.append(row)


def _empty(name: str, position: int) -> Row:
    row = dict.fromkeys(shapes.OPTION_TEXTS[name], "")
    if name in shapes.COLOURED:
        row["colour"] = DEALT[position % len(DEALT)]
    return row


def _move(things: list[Any], at: int, step: str) -> None:
    if step == "remove":
        del things[at]
    elif 0 <= at + _STEPS[step] < len(things):
        things.insert(at + _STEPS[step], things.pop(at))


def _position(given: list[str], count: int) -> int | None:
    text = given[0] if given else ""
    return int(text) if text.isdecimal() and len(text) < 6 and int(text) < count else None


def restore(draft: Draft, published: Mapping[str, Any], details: Mapping[str, Any]) -> list[FieldDraft]:
    """Put back what a refusal says was used (`details` of SchemaRefused); the fields that it is about."""
    before = draft_of(published)
    known = {one.texts["name"] for one in before.fields}
    about = []
    for position, one in enumerate(before.fields):
        name = one.texts["name"]
        if name in details.get("fields", ()):
            about.append(_restored_field(draft, position, one, known))
        elif wanted := details.get("options", {}).get(name):
            now = next((field for field in draft.fields if field.texts["name"].strip() == name), None)
            if now is not None:
                _restore_rows(now, one, wanted)
                about.append(now)
    return about


def _restored_field(draft: Draft, position: int, one: FieldDraft, known: Collection[str]) -> FieldDraft:
    """A field under another name gets its own back; one that is gone is put in again."""
    at = draft.fields[position] if position < len(draft.fields) else None
    if at is not None and at.type == one.type and at.texts["name"].strip() not in known:
        at.texts["name"] = one.texts["name"]
        return at
    draft.fields.insert(min(position, len(draft.fields)), one)
    return one


def _restore_rows(now: FieldDraft, before: FieldDraft, wanted: Collection[str]) -> None:
    for key, rows in before.lists.items():
        present = {row["id"] for row in now.lists.get(key, ())}
        for at, row in enumerate(rows):
            if row["id"] in wanted and row["id"] not in present and key in now.lists:
                now.lists[key].insert(min(at, len(now.lists[key])), row)
