"""The list of task types, and the verbs that work on a whole schema by asking each field's type.

A schema *definition* is {"fields": [field, ...], "show": {"meta": [column, ...]}}; a *value* maps field names to
answers. A field may depend on an earlier one: "when": {"field": "label", "in": ["complaint"]} asks it only
where that label was given, so that a hard question is broken into simple steps. "required": false lets people
leave a field out. "show" names the metadata that people see beside the text; all else stays hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types import (
    classification,
    definitions,
    multilabel,
    preference,
    rating,
    response,
    spans,
)
from annotation.task_types.content import Content
from annotation.task_types.definitions import MAXIMUM_FIELDS, Complaint
from annotation.task_types.task_type import Field, TaskType, of_module
from annotation.task_types.values import (
    Combined,
    InvalidContent,
    InvalidDefinition,
    InvalidValue,
    label_id,
    shown,
)

__all__ = [
    "MAXIMUM_FIELDS",
    "TASK_TYPES",
    "Combined",
    "Complaint",
    "Content",
    "Field",
    "InvalidContent",
    "InvalidDefinition",
    "InvalidValue",
    "TaskType",
    "asked",
    "columns",
    "combine",
    "complaints",
    "describe",
    "distance",
    "drafts",
    "export",
    "field_of",
    "from_form",
    "json_schema",
    "label_id",
    "needs",
    "task_type",
    "traces",
    "training_examples",
    "uses",
    "validate_definition",
    "validate_part",
    "validate_value",
]

TASK_TYPES: dict[str, TaskType] = {
    "classification": of_module("classification", "One label", classification, is_instant=True),
    "multilabel": of_module("multilabel", "Several labels", multilabel),
    "spans": of_module("spans", "Spans of the text", spans),
    "rating": of_module("rating", "Ratings on scales", rating),
    "preference": of_module("preference", "Preference between responses", preference, needs=["responses"]),
    "response": of_module("response", "A written response", response),
}


def task_type(field: Field) -> TaskType:
    """The type of a field; `InvalidDefinition` when there is none of that name."""
    return definitions.type_of(field, TASK_TYPES)


def validate_definition(definition: Any) -> None:
    """Raise `InvalidDefinition` unless people can label with this schema."""
    if found := complaints(definition):
        raise InvalidDefinition(found[0].sentence)


def complaints(definition: Any) -> list[Complaint]:
    """All that keeps people from labelling with this schema, at most one sentence a field; empty for a good
    one."""
    return definitions.complaints(definition, TASK_TYPES)


def asked(definition: Mapping[str, Any], value: Mapping[str, Any]) -> list[Field]:
    """The fields that apply to what has been answered so far, in schema order."""
    found: list[Field] = []
    for field in definition["fields"]:
        when = field.get("when")
        if when is not None:
            given = value.get(when["field"]) if any(one["name"] == when["field"] for one in found) else None
            answers = given if isinstance(given, list) else [given]
            if not any(answer in when["in"] for answer in answers):
                continue
        found.append(field)
    return found


def validate_value(
    definition: Mapping[str, Any], value: Any, content: Content | None = None
) -> dict[str, Any]:
    """The value as it is stored, field by field in schema order; `InvalidValue` where a field is off, short
    or extra.

    With `content` the answers are checked against the item too: spans lie in its text, a ranking names its
    responses.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue(
            _("found %(value)s, expected an object from field name to answer"), value=shown(value)
        )
    fields = asked(definition, value)
    names = [field["name"] for field in fields]
    for name in value:
        if name not in names:
            known = any(field["name"] == name for field in definition["fields"])
            stray = _("field %(field)s is not asked for with these answers: expected %(known)s")
            raise InvalidValue(
                stray if known else _("field %(field)s is not in the schema: expected %(known)s"),
                field=shown(name),
                known=", ".join(names),
            )
    missing = [
        field["name"] for field in fields if field["name"] not in value and field.get("required", True)
    ]
    if missing:
        raise InvalidValue(
            _("field %(field)s is missing: answer every field of %(known)s"),
            field=shown(missing[0]),
            known=", ".join(names),
        )
    return {
        field["name"]: task_type(field).validate_answer(field, value[field["name"]], content)
        for field in fields
        if field["name"] in value
    }


def validate_part(
    definition: Mapping[str, Any], value: Any, content: Content | None = None
) -> dict[str, Any]:
    """A value that need not answer every field, as pre-labels are: what it has is checked, and stored in schema
    order."""
    if not isinstance(value, Mapping):
        raise InvalidValue(
            _("found %(value)s, expected an object from field name to answer"), value=shown(value)
        )
    fields = {field["name"]: field for field in definition["fields"]}
    if unknown := [name for name in value if name not in fields]:
        raise InvalidValue(
            _("field %(field)s is not in the schema: expected %(known)s"),
            field=shown(unknown[0]),
            known=", ".join(fields),
        )
    if not value:
        raise InvalidValue(_("found no answer: give one for some of %(known)s"), known=", ".join(fields))
    return {
        name: task_type(field).validate_answer(field, value[name], content)
        for name, field in fields.items()
        if name in value
    }


def json_schema(definition: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of the values that the schema takes."""
    fields = definition["fields"]
    always = [f["name"] for f in fields if f.get("required", True) and f.get("when") is None]
    return {
        "type": "object",
        "properties": {field["name"]: task_type(field).json_schema(field) for field in fields},
        "required": always,
        "additionalProperties": False,
    }


def field_of(definition: Mapping[str, Any], name: str | None = None) -> Field:
    """The field called `name`, or the schema's first; `InvalidDefinition` when there is none of that name."""
    for field in definition["fields"]:
        if name is None or field["name"] == name:
            return field
    known = ", ".join(field["name"] for field in definition["fields"])
    raise InvalidDefinition(
        _("the schema has no field %(field)s: expected one of %(known)s"), field=shown(name), known=known
    )


def needs(definition: Mapping[str, Any]) -> frozenset[str]:
    """What every item must hold to be labelled with this schema: some of "messages", "responses", "draft"."""
    return frozenset[str]().union(*(task_type(field).needs for field in definition["fields"]))


def distance(field: Field, a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """How far two values are apart in one field, by the distance of its task type (for alpha: see
    quality)."""
    return task_type(field).distance(field, a[field["name"]], b[field["name"]])


def combine(
    definition: Mapping[str, Any],
    values: Sequence[Mapping[str, Any]],
    *,
    decide: Callable[[Field, Sequence[int]], Combined | None] | None = None,
) -> Combined:
    """What several values come to, field by field; a field is asked of those whose answers before led to it.

    `decide(field, positions of the values that answer it)` goes before the type's own way; None leaves it to
    that one.

    `posterior` is by field. The answer is None as soon as one field is tied. A field that can be left out is
    left out where most did.
    """
    found: dict[str, Any] = {}
    posterior: dict[str, Any] = {}
    tied = False
    for field in definition["fields"]:
        name = field["name"]
        if not any(one["name"] == name for one in asked(definition, found)):
            continue
        answering = [at for at, value in enumerate(values) if name in value]
        if not answering or (not field.get("required", True) and 2 * len(answering) < len(values)):
            continue
        combined = decide(field, answering) if decide is not None else None
        if combined is None:
            combined = task_type(field).combine(field, [values[at][name] for at in answering])
        posterior[name] = combined.posterior
        if combined.answer is None:
            tied = True
        else:
            found[name] = combined.answer
    return Combined(None if tied or not found else found, posterior)


def uses(definition: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, set[str]]:
    """Field name -> ids of labels and options that the value names; fields of the schema only."""
    return {
        field["name"]: task_type(field).uses(value[field["name"]])
        for field in definition["fields"]
        if field["name"] in value
    }


def drafts(
    definition: Mapping[str, Any], value: Mapping[str, Any] | None, content: Content
) -> dict[str, Any]:
    """What people begin from, by field: a pre-label's answers made to fit, or what the item itself brings."""
    found = {}
    for field in definition["fields"]:
        draft = task_type(field).draft(field, (value or {}).get(field["name"]), content)
        if draft is not None:
            found[field["name"]] = draft
    return found


def traces(
    definition: Mapping[str, Any],
    value: Mapping[str, Any],
    content: Content,
    begun_from: Mapping[str, Any],
    seed: str,
) -> dict[str, Any]:
    """How the answers came about, by field: the order that responses stood in, the distance from the draft."""
    found = {}
    for field in definition["fields"]:
        name = field["name"]
        if name in value:
            kept = task_type(field).trace(field, content, value[name], begun_from.get(name), seed)
            if kept:
                found[name] = kept
    return found


def training_examples(field: Field, content: Content, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a training objective learns from one labelled item; for a classification [{"text", "label"}]."""
    return task_type(field).training_examples(field, content, value[field["name"]])


def columns(definition: Mapping[str, Any]) -> dict[str, str]:
    """The flat columns of a value: name -> kind (text, integer, number, json)."""
    found: dict[str, str] = {}
    for field in definition["fields"]:
        found |= task_type(field).columns(field)
    return found


def export(definition: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as flat columns; a field that the value lacks (an older schema version) gives no columns."""
    row: dict[str, Any] = {}
    for field in definition["fields"]:
        if field["name"] in value:
            row |= task_type(field).export(field, value[field["name"]])
    return row


def describe(
    definition: Mapping[str, Any], value: Mapping[str, Any], named: Callable[[Mapping[str, Any]], str]
) -> str:
    """A value in words; `named` gives a label or option its name. Fields that the schema lacks are left out."""
    fields = [field for field in definition["fields"] if field["name"] in value]
    return " · ".join(task_type(field).describe(field, value[field["name"]], named) for field in fields)


def from_form(definition: Mapping[str, Any], sent: Callable[[str], list[str]]) -> dict[str, Any]:
    """The value of a form sent without scripts; only the fields that its answers ask for."""
    value: dict[str, Any] = {}
    for field in definition["fields"]:
        if any(one["name"] == field["name"] for one in asked(definition, value)):
            answer = task_type(field).from_form(field, sent)
            if answer or field.get("required", True):
                value[field["name"]] = answer
    return value
