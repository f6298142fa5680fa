"""New versions of a project's schema: what may be answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import SchemaRefused
from annotation.models import Project, SchemaVersion
from annotation.selectors import schemas
from annotation.services.archive import guard_writable
from annotation.task_types import registry
from annotation.task_types.registry import InvalidDefinition, label_id, validate_definition

COLOURS = ("blue", "green", "amber", "purple", "teal", "red", "pink", "grey")


def definition_of(labels: Iterable[str | Mapping[str, Any]], *, name: str = "label") -> dict[str, Any]:
    """A schema with one classification field. A label is its name, or an object (name, name_zh, description
    ...); ids that are not given are made from the names, and colours are dealt in turn.
    """
    made: list[dict[str, Any]] = []
    taken: set[str] = set()
    for position, given in enumerate(labels):
        label = {"name": given} if isinstance(given, str) else dict(given)
        label["name"] = " ".join(str(label.get("name", "")).split())
        label.setdefault("id", label_id(label["name"], taken))
        label.setdefault("colour", COLOURS[position % len(COLOURS)])
        taken.add(label["id"])
        made.append(label)
    return {"fields": [{"name": name, "type": "classification", "labels": made}]}


@transaction.atomic
def publish(project: Project, definition: dict[str, Any], *, by: User | None = None) -> SchemaVersion:
    """Make `definition` the project's current schema. The same definition as now gives the current version
    again.

    Labels and fields may be added and renamed. An id that has been used in an answer may not go, and a field
    that was answered keeps its type: old answers would lose their meaning.

    Raises:
        SchemaRefused: the definition is not valid, or lacks a field, type, label or option that was used.
    """
    guard_writable(project)
    try:
        validate_definition(definition)
    except InvalidDefinition as error:
        raise SchemaRefused(error.sentence) from error
    if "\\u0000" in json.dumps(definition):
        raise SchemaRefused(_("The schema holds a character that no text can (U+0000): take it out."))
    # two at once would take the same number
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    newest = schemas.current(project)
    if newest is not None and newest.definition == definition:
        return newest
    if newest is not None:
        _guard_used(project, newest, definition)
    version = SchemaVersion.objects.create(
        project=project, number=newest.number + 1 if newest else 1, definition=definition, created_by=by
    )
    labels = sum(len(field.get("labels", ())) for field in definition["fields"])
    audit.record(
        "schema.published", actor=by, scope=project.uuid, target=project, number=version.number, labels=labels
    )
    return version


def _guard_used(project: Project, old: SchemaVersion, definition: dict[str, Any]) -> None:
    """Refuse to drop what answers name. Reads the answers only where something goes, and then all of them.

    `details` of the refusal: "fields" that were answered, "options" that were used, by field.
    """
    new = {field["name"]: field for field in definition["fields"]}
    before = {field["name"]: field for field in old.definition["fields"]}
    gone = {name: _options(field) - _options(new.get(name, {})) for name, field in before.items()}
    lost = {name for name, field in before.items() if new.get(name, {}).get("type") != field["type"]}
    if not lost and not any(gone.values()):
        return
    answered: set[str] = set()
    used: dict[str, set[str]] = {}
    answers = project.annotations.filter(is_retraction=False).values_list("value", flat=True)
    for value in answers.iterator(5000):
        for name, named in registry.uses(old.definition, value).items():
            if name in lost:
                answered.add(name)
            elif named & gone[name]:
                used.setdefault(name, set()).update(named & gone[name])
    if answered:
        sentence = _("The field “%(field)s” has been answered: it can neither go nor change its type.")
        raise SchemaRefused(sentence % {"field": min(answered)}, details={"fields": sorted(answered)})
    if used:
        name = min(used)
        raise SchemaRefused(
            _("The label “%(label)s” has been used and cannot be removed: rename it, or keep it.")
            % {"label": _name_of(old, name, min(used[name]))},
            details={"options": {name: sorted(ids) for name, ids in used.items()}},
        )


def _options(field: Mapping[str, Any]) -> set[str]:
    """The ids of everything in a field that an answer can name."""
    lists = ("labels", "relations", "dimensions", "strengths", "reasons")
    return {one["id"] for key in lists for one in field.get(key) or ()}


def _name_of(schema: SchemaVersion, field_name: str, identity: str) -> str:
    field = registry.field_of(schema.definition, field_name)
    lists = (one for value in field.values() if isinstance(value, list) for one in value)
    options = (one for one in lists if isinstance(one, dict))
    return next((one["name"] for one in options if one.get("id") == identity), identity)


def publish_labels(
    project: Project, labels: Iterable[str | Mapping[str, Any]], *, by: User | None = None
) -> SchemaVersion:
    """`publish` with other labels in the first field; all else stays as it is."""
    current = schemas.current(project)
    name = schemas.label_field(current)["name"] if current is not None else "label"
    made = definition_of(labels, name=name)
    if current is not None:
        first, *others = current.definition["fields"]
        changed = {**first, "labels": made["fields"][0]["labels"]}
        made = {**current.definition, "fields": [changed, *others]}
    return publish(project, made, by=by)
