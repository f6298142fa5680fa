"""A schema as it stands in the editor: texts as typed, from a definition and back to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.schema_editor import shapes
from annotation.task_types.labels import folded
from annotation.task_types.registry import TASK_TYPES
from annotation.task_types.values import label_id

_NUMBER = re.compile(r"-?\d{1,9}")
Row = dict[str, str]


@dataclass
class FieldDraft:
    """One field. `lists`: its lists of options, a row of texts each; `anchors`: words for the points of its
    scale. `when_in` are ids or names of labels of the field `when_field`.
    """

    type: str
    texts: dict[str, str] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    lists: dict[str, list[Row]] = field(default_factory=dict)
    anchors: dict[str, list[str]] = field(default_factory=dict)
    when_field: str = ""
    when_in: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """How many points the scale has, for as many places to write anchors; 0 while that is no number."""
        given = self.texts.get("points", "").strip() or "5"
        return min(int(given), 11) if given.isdecimal() and len(given) < 4 else 0


@dataclass
class Draft:
    """A schema being edited. `meta`: columns shown beside the text. `focus`: the id that a button led to."""

    fields: list[FieldDraft] = field(default_factory=list)
    meta: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    focus: str = ""

    def complain(self, found: Iterable[Any]) -> None:
        """Put complaints of the registry where they belong."""
        for position, sentence in found:
            place = self if position is None or position >= len(self.fields) else self.fields[position]
            place.complaints.append(sentence)


def draft_of(definition: Mapping[str, Any]) -> Draft:
    """The draft that a valid definition is."""
    fields = [_field_draft(one) for one in definition["fields"]]
    shown = _listed((definition.get("show") or {}).get("meta"))
    return Draft(fields=fields, meta=[_text(column) for column in shown])


def can_be_drafted(definition: Any) -> bool:
    """Whether a definition has the build of one, so that the form can show it, valid or not."""
    fields = definition.get("fields") if isinstance(definition, Mapping) else None
    if not isinstance(fields, list) or not all(isinstance(one, Mapping) for one in fields):
        return False
    for one in fields:
        if not isinstance(one.get("type"), str) or one["type"] not in TASK_TYPES:
            return False
        lists = [one.get(key) or [] for key in shapes.LISTS[one["type"]]]
        if not all(isinstance(rows, list) for rows in lists):
            return False
        if not all(isinstance(row, Mapping) for rows in lists for row in rows):
            return False
    return isinstance(definition.get("show") or {}, Mapping)


def _field_draft(one: Mapping[str, Any]) -> FieldDraft:
    kind = one["type"]
    named = (*shapes.FIELD_TEXTS, *shapes.NUMBERS.get(kind, ()))
    when = one.get("when") if isinstance(one.get("when"), Mapping) else {}
    return FieldDraft(
        type=kind,
        texts={key: _text(one.get(key)) for key in named},
        flags={flag: bool(one.get(flag, default)) for flag, default in shapes.FLAGS[kind].items()},
        lists={key: _rows(key, one.get(key) or ()) for key in shapes.LISTS[kind]},
        anchors={key: [_text(word) for word in _listed(one.get(key))] for key in shapes.ANCHORS}
        if kind == "rating"
        else {},
        when_field=_text(when.get("field")),
        when_in=[_text(identity) for identity in _listed(when.get("in"))],
    )


def _rows(key: str, options: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A parent is shown by its name; anchors as one text, divided by bars."""
    found = [{name: _text(option.get(name)) for name in shapes.OPTION_TEXTS[key]} for option in options]
    names = {row["id"]: row["name"] for row in found}
    for row, option in zip(found, options, strict=True):
        if row.get("parent"):
            row["parent"] = names.get(row["parent"]) or row["parent"]
        for words in shapes.ANCHORS:
            if words in row:
                row[words] = " | ".join(_text(word) for word in _listed(option.get(words)))
    return found


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def definition_of(draft: Draft) -> dict[str, Any]:
    """The definition that the draft comes to, valid or not; what was left empty is left out."""
    labels: dict[str, list[Row]] = {}
    fields = []
    for one in draft.fields:
        made = _definition_of_field(one, labels)
        fields.append(made)
        if one.type in shapes.WITH_LABELS:
            labels.setdefault(made["name"], made["labels"])
    return {"fields": fields, "show": {"meta": list(draft.meta)}} if draft.meta else {"fields": fields}


def _definition_of_field(one: FieldDraft, earlier: Mapping[str, list[Row]]) -> dict[str, Any]:
    texts = {key: text.strip() for key, text in one.texts.items()}
    made: dict[str, Any] = {"name": texts["name"] or _name_from(texts["title"]), "type": one.type}
    made |= {key: texts[key] for key in shapes.FIELD_TEXTS[1:] if texts[key]}
    made |= {key: _number(texts[key]) for key in shapes.NUMBERS.get(one.type, ()) if texts[key]}
    defaults = shapes.FLAGS[one.type]
    made |= {flag: one.flags[flag] for flag, default in defaults.items() if one.flags[flag] != default}
    for key in shapes.LISTS[one.type]:
        options = _options(one.lists[key])
        if options or key in ("labels", "dimensions"):
            made[key] = options
    for key, words in one.anchors.items():
        if any(word.strip() for word in words):
            made[key] = [word.strip() for word in words]
    if one.when_field:
        by_name = {folded(row["name"]): row["id"] for row in earlier.get(one.when_field, ())}
        wanted = [by_name.get(folded(given), given) for given in one.when_in]
        made["when"] = {"field": one.when_field, "in": wanted}
    return made


def _options(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Options of the rows that hold something; ids that are missing are made from the names."""
    kept = [row for row in rows if any(text.strip() for name, text in row.items() if name != "colour")]
    taken = {row["id"] for row in kept if row["id"]}
    made: list[dict[str, Any]] = []
    for row in kept:
        option: dict[str, Any] = {"id": row["id"].strip(), "name": " ".join(row["name"].split())}
        if not option["id"]:
            option["id"] = label_id(option["name"], taken)
            taken.add(option["id"])
        for name, text in row.items():
            if name in shapes.ANCHORS and text.strip():
                option[name] = [word.strip() for word in text.split("|")]
            elif name not in ("id", "name") and text.strip():
                option[name] = text.strip()
        made.append(option)
    ids = {folded(option["name"]): option["id"] for option in made}
    for option in made:
        if "parent" in option:
            option["parent"] = ids.get(folded(option["parent"]), option["parent"])
    return made


def _number(text: str) -> int | str:
    """The number; what is none stays text, and the registry says so."""
    return int(text) if _NUMBER.fullmatch(text) else text


def _name_from(title: str) -> str:
    """A field's name from its title: "How urgent is it?" gives "how_urgent_is_it"."""
    if not title:
        return ""
    made = label_id(title).replace("-", "_").strip("_")[:40]
    return made if made[:1].isalpha() else f"field_{made}"[:40]
