"""The list of task types, and the verbs that work on a whole schema by asking each field's type.

A schema *definition* is {"fields": [field, ...], "show": {"meta": [column, ...]}}; a *value* maps field names to
answers. A field may depend on an earlier one: "when": {"field": "label", "in": ["complaint"]} asks it only
where that label was given, so that a hard question is broken into simple steps. "required": false lets people
leave a field out. "show" names the metadata that people see beside the text; all else stays hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

from annotation.task_types import (
    classification,
    multilabel,
    preference,
    rating,
    response,
    spans,
)
from annotation.task_types.content import Content
from annotation.task_types.values import (
    Combined,
    InvalidContent,
    InvalidDefinition,
    InvalidValue,
    label_id,
    shown,
)

__all__ = [
    "TASK_TYPES",
    "Combined",
    "Complaint",
    "Content",
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

FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
COMMON = frozenset({"name", "type", "title", "title_zh", "help", "help_zh", "when", "required"})
MAXIMUM_FIELDS = 20

Field = Mapping[str, Any]


class Complaint(NamedTuple):
    """Why a schema cannot be used. `field`: the position of the field that it is about, None for the whole."""

    field: int | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """One kind of field. An *answer* is what a person gives for one field of this type.

    Attributes:
        options: keys that a field of this type may have besides the common ones.
        needs: what an item must hold for it to be asked (keys of `Content`).
        is_instant: one key press answers, so that a schema of one such field needs no "submit".
        validate_field: (field); raises InvalidDefinition.
        validate_answer: (field, answer, content) -> the answer as it is stored; raises InvalidValue.
        json_schema: (field) -> JSON Schema of its answers.
        distance: (field, a, b) -> how far two answers are apart, in [0, 1], for agreement.
        combine: (field, answers, at least one) -> what they come to together.
        category: (field, answer) -> a name for the answer where the type is categorical, else None.
        categories: (field) -> all such names that are known beforehand; None where the type is not categorical.
        uses: (answer) -> ids of labels and options that it names.
        draft: (field, answer of a pre-label or None, content) -> what people begin from, or None.
        training_examples: (field, content, answer) -> rows that an objective learns from.
        example_columns: (field, dialogue) -> kinds of the keys of these rows; `dialogue` says that every item
            is taken as one.
        columns, export: (field) -> kinds of the flat columns; (field, answer) -> their cells.
        from_form: (field, sent) -> the answer of a form sent without scripts.
        describe: (field, answer, name of an option) -> the answer in words.
        trace: (field, content, answer, the draft begun from or None, seed of the person and item) -> what is
            worth keeping of how the answer came about.
    """

    name: str
    label: str
    options: frozenset[str]
    needs: frozenset[str]
    is_instant: bool
    validate_field: Callable[[Field], None]
    validate_answer: Callable[[Field, Any, Content | None], Any]
    json_schema: Callable[[Field], dict[str, Any]]
    distance: Callable[[Field, Any, Any], float]
    combine: Callable[[Field, Sequence[Any]], Combined]
    category: Callable[[Field, Any], str | None]
    categories: Callable[[Field], list[str] | None]
    uses: Callable[[Any], set[str]]
    draft: Callable[[Field, Any, Content], Any]
    training_examples: Callable[[Field, Content, Any], list[dict[str, Any]]]
    example_columns: Callable[..., dict[str, str]]
    columns: Callable[[Field], dict[str, str]]
    export: Callable[[Field, Any], dict[str, Any]]
    from_form: Callable[[Field, Callable[[str], list[str]]], Any]
    describe: Callable[[Field, Any, Callable[[Mapping[str, Any]], str]], str]
    trace: Callable[[Field, Content, Any, Any, str], dict[str, Any]]


def _no_trace(field: Field, content: Content, answer: Any, begun_from: Any, seed: str) -> dict[str, Any]:
    return {}


def _no_categories(field: Field) -> list[str] | None:
    return None


def _type(
    name: str, label: str, module: ModuleType, *, needs: Sequence[str] = (), is_instant: bool = False
) -> TaskType:
    """A task type of the functions that its module has under the names of `TaskType`."""
    return TaskType(
        name=name,
        label=label,
        options=module.OPTIONS,
        needs=frozenset(needs),
        is_instant=is_instant,
        validate_field=module.validate_field,
        validate_answer=module.validate_answer,
        json_schema=module.json_schema,
        distance=module.distance,
        combine=module.combine,
        category=module.category,
        categories=getattr(module, "categories", _no_categories),
        uses=module.uses,
        draft=module.draft,
        training_examples=module.training_examples,
        example_columns=module.example_columns,
        columns=module.columns,
        export=module.export,
        from_form=module.from_form,
        describe=module.describe,
        trace=getattr(module, "trace", _no_trace),
    )


TASK_TYPES: dict[str, TaskType] = {
    "classification": _type("classification", "One label", classification, is_instant=True),
    "multilabel": _type("multilabel", "Several labels", multilabel),
    "spans": _type("spans", "Spans of the text", spans),
    "rating": _type("rating", "Ratings on scales", rating),
    "preference": _type("preference", "Preference between responses", preference, needs=["responses"]),
    "response": _type("response", "A written response", response),
}


def task_type(field: Field) -> TaskType:
    """The type of a field; `InvalidDefinition` when there is none of that name."""
    kind = field.get("type")
    if not isinstance(kind, str) or kind not in TASK_TYPES:
        known = ", ".join(TASK_TYPES)
        raise InvalidDefinition(
            f"field {shown(field.get('name'))} has type {shown(kind)}: expected one of {known}"
        )
    return TASK_TYPES[kind]


def validate_definition(definition: Any) -> None:
    """Raise `InvalidDefinition` unless people can label with this schema."""
    if found := complaints(definition):
        raise InvalidDefinition(found[0].sentence)


def complaints(definition: Any) -> list[Complaint]:
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
            _validate_field(field, before, broken)
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


def _validate_field(field: Any, before: Mapping[str, Field], broken: Collection[str]) -> None:
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
    kind = task_type(field)
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
        raise InvalidValue(f"found {shown(value)}, expected an object from field name to answer")
    fields = asked(definition, value)
    names = [field["name"] for field in fields]
    for name in value:
        if name not in names:
            known = any(field["name"] == name for field in definition["fields"])
            why = "is not asked for with these answers" if known else "is not in the schema"
            raise InvalidValue(f"field {shown(name)} {why}: expected {', '.join(names)}")
    missing = [
        field["name"] for field in fields if field["name"] not in value and field.get("required", True)
    ]
    if missing:
        raise InvalidValue(f"field {shown(missing[0])} is missing: answer every field of {', '.join(names)}")
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
        raise InvalidValue(f"found {shown(value)}, expected an object from field name to answer")
    fields = {field["name"]: field for field in definition["fields"]}
    if unknown := [name for name in value if name not in fields]:
        raise InvalidValue(f"field {shown(unknown[0])} is not in the schema: expected {', '.join(fields)}")
    if not value:
        raise InvalidValue(f"found no answer: give one for some of {', '.join(fields)}")
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
    raise InvalidDefinition(f"the schema has no field {shown(name)}: expected one of {known}")


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
