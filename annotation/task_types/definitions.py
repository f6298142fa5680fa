"""Whether people can label with a schema: what is wrong with its definition, field by field.

The types are an argument, since the list of them is the registry's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from annotation.task_types.task_type import Field, TaskType
from annotation.task_types.values import InvalidDefinition, shown

FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
COMMON = frozenset({"name", "type", "title", "title_zh", "help", "help_zh", "when", "required"})
MAXIMUM_FIELDS = 20

Types = Mapping[str, TaskType]


class Complaint(NamedTuple):
    """Why a schema cannot be used. `field`: the position of the field that it is about, None for the whole."""

    field: int | None
    sentence: str


def type_of(field: Field, types: Types) -> TaskType:
    """The type of a field; `InvalidDefinition` when there is none of that name."""
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in types:
        known = ", ".join(types)
        raise InvalidDefinition(
            f"field {shown(field.get('name'))} has type {shown(kind)}: expected one of {known}"
        )
    return types[kind]


def complaints(definition: Any, types: Types) -> list[Complaint]:
    """All that keeps people from labelling with this schema, at most one sentence a field; empty for a good
    one."""
    fields = definition.get("fields") if isinstance(definition, Mapping) else None
    if not isinstance(fields, list) or not fields:
        sentence = 'the schema has no fields: give {"fields": [{"name": ..., "type": ...}]}'
        return [Complaint(None, sentence)]
    if len(fields) > MAXIMUM_FIELDS:
        return [Complaint(None, f"the schema has {len(fields)} fields, the limit is {MAXIMUM_FIELDS}")]
    if unknown := sorted(set(definition) - {"fields", "show"}):
        return [Complaint(None, f"the schema has the unknown key {shown(unknown[0])}: use fields and show")]
    found: list[Complaint] = []
    before: dict[str, Field] = {}
    broken: set[Any] = set()
    for position, field in enumerate(fields):
        try:
            _validate_field(field, before, broken, types)
            before[field["name"]] = field
        except InvalidDefinition as error:
            found.append(Complaint(position, str(error)))
            name = field.get("name") if isinstance(field, Mapping) else None
            broken |= {name} if isinstance(name, str) else set()
    try:
        _validate_show(definition.get("show"))
    except InvalidDefinition as error:
        found.append(Complaint(None, str(error)))
    return found


def _validate_field(field: Any, before: Mapping[str, Field], broken: Collection[str], types: Types) -> None:
    """`before`: the good fields above it by name; `broken`: names of the others, which have a complaint of their
    own."""
    if not isinstance(field, Mapping):
        raise InvalidDefinition(
            f"found {shown(field)} among the fields, expected an object with name and type"
        )
    name = field.get("name")
    if not isinstance(name, str) or not FIELD_NAME.fullmatch(name):
        raise InvalidDefinition(
            f"field name {shown(name)} is not valid: begin with a-z, then up to 39 of a-z, 0-9 and '_'"
        )
    if name in before or name in broken:
        raise InvalidDefinition(f"two fields are called {shown(name)}: give each a name of its own")
    kind = type_of(field, types)
    if unknown := sorted(set(field) - COMMON - kind.options):
        raise InvalidDefinition(f"field {shown(name)} has the unknown key {shown(unknown[0])}: remove it")
    for key in ("title", "title_zh", "help", "help_zh"):
        if not isinstance(field.get(key, ""), str):
            raise InvalidDefinition(f"{key} of field {shown(name)} is not text: write it in quotes")
    if not isinstance(field.get("required", True), bool):
        raise InvalidDefinition(f"required of field {shown(name)} is not true or false")
    kind.validate_field(field)
    when = field.get("when")
    if when is not None and not (isinstance(when, Mapping) and str(when.get("field")) in broken):
        _validate_when(field, before)


def _validate_when(field: Field, before: Mapping[str, Field]) -> None:
    when, name = field["when"], field["name"]
    on = when.get("field") if isinstance(when, Mapping) else None
    if not isinstance(when, Mapping) or set(when) != {"field", "in"} or not isinstance(on, str):
        raise InvalidDefinition(f'when of field {shown(name)} is not {{"field": ..., "in": [label ids]}}')
    if on not in before or before[on]["type"] not in ("classification", "multilabel"):
        raise InvalidDefinition(
            f"field {shown(name)} depends on {shown(on)}: name an earlier field with labels"
        )
    known = {label["id"] for label in before[on]["labels"]}
    wanted = when["in"]
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
        raise InvalidDefinition(f"when of field {shown(name)} names no labels: list one or more ids")
    if unknown := sorted(set(wanted) - known):
        raise InvalidDefinition(
            f"field {shown(name)} waits for the label {shown(unknown[0])}, which {shown(on)} lacks"
        )


def _validate_show(show: Any) -> None:
    if show is None:
        return
    columns = show.get("meta") if isinstance(show, Mapping) and set(show) <= {"meta"} else None
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise InvalidDefinition('show is not {"meta": [names of columns]}')
