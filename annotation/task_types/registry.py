"""The list of task types, and the verbs that work on a whole schema by asking each field's type.

A schema *definition* is {"fields": [field, ...]}; a *value* maps every field's name to that field's answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from annotation.task_types import classification
from annotation.task_types.values import InvalidDefinition, InvalidValue, label_id, shown

__all__ = [
    "TASK_TYPES",
    "InvalidDefinition",
    "InvalidValue",
    "TaskType",
    "distance",
    "export",
    "field_of",
    "label_id",
    "training_example",
    "validate_definition",
    "validate_value",
]

FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """One kind of field. An *answer* is what a person gives for one field of this type."""

    name: str
    label: str
    validate_field: Callable[[Mapping[str, Any]], None]
    validate_answer: Callable[[Mapping[str, Any], Any], Any]
    distance: Callable[[Any, Any], float]
    training_example: Callable[[str, Any], dict[str, Any]]
    export: Callable[[Mapping[str, Any], Any], dict[str, Any]]


TASK_TYPES: dict[str, TaskType] = {
    "classification": TaskType(
        name="classification",
        label="Classification: one label",
        validate_field=classification.validate_field,
        validate_answer=classification.validate_answer,
        distance=classification.distance,
        training_example=classification.training_example,
        export=classification.export,
    ),
}


def validate_definition(definition: Any) -> None:
    """Raise `InvalidDefinition` unless people can label with this schema."""
    fields = definition.get("fields") if isinstance(definition, Mapping) else None
    if not isinstance(fields, list) or not fields:
        raise InvalidDefinition('the schema has no fields: give {"fields": [{"name": ..., "type": ...}]}')
    names: set[str] = set()
    for field in fields:
        if not isinstance(field, Mapping):
            raise InvalidDefinition(
                f"found {shown(field)} among the fields, expected an object with name and type"
            )
        name = field.get("name")
        if not isinstance(name, str) or not FIELD_NAME.fullmatch(name):
            raise InvalidDefinition(
                f"field name {shown(name)} is not valid: begin with a-z, then up to 39 of a-z, 0-9 and '_'"
            )
        if name in names:
            raise InvalidDefinition(f"two fields are called {shown(name)}: give each a name of its own")
        names.add(name)
        _type_of(field).validate_field(field)


def validate_value(definition: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The value as it is stored, field by field in schema order; `InvalidValue` where a field is off, short
    or extra."""
    if not isinstance(value, Mapping):
        raise InvalidValue(f"found {shown(value)}, expected an object from field name to answer")
    fields = definition["fields"]
    names = [field["name"] for field in fields]
    extra = [name for name in value if name not in names]
    if extra:
        raise InvalidValue(f"field {shown(extra[0])} is not in the schema: expected {', '.join(names)}")
    missing = [name for name in names if name not in value]
    if missing:
        raise InvalidValue(f"field {shown(missing[0])} is missing: answer every field of {', '.join(names)}")
    return {field["name"]: _type_of(field).validate_answer(field, value[field["name"]]) for field in fields}


def field_of(definition: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
    """The field called `name`, or the schema's first; `InvalidDefinition` when there is none of that name."""
    for field in definition["fields"]:
        if name is None or field["name"] == name:
            return field
    known = ", ".join(field["name"] for field in definition["fields"])
    raise InvalidDefinition(f"the schema has no field {shown(name)}: expected one of {known}")


def distance(field: Mapping[str, Any], a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """How far two values are apart in one field, by the distance of its task type (for alpha: see
    quality)."""
    return _type_of(field).distance(a[field["name"]], b[field["name"]])


def training_example(text: str, value: Mapping[str, Any], field: Mapping[str, Any]) -> dict[str, Any]:
    """What a training objective learns from one labelled text; for a classification {"text", "label"}."""
    return _type_of(field).training_example(text, value[field["name"]])


def export(definition: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as flat columns; a field that the value lacks (an older schema version) gives no columns."""
    row: dict[str, Any] = {}
    for field in definition["fields"]:
        if field["name"] in value:
            row |= _type_of(field).export(field, value[field["name"]])
    return row


def _type_of(field: Mapping[str, Any]) -> TaskType:
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in TASK_TYPES:
        known = ", ".join(TASK_TYPES)
        raise InvalidDefinition(
            f"field {shown(field.get('name'))} has type {shown(kind)}: expected one of {known}"
        )
    return TASK_TYPES[kind]
