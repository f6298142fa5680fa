"""Final labels from before the last change of the schema that must, or may, be looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.models import Project, Resolution, SchemaVersion
from annotation.selectors import row_ranges, schemas
from annotation.selectors.choices import in_language
from annotation.selectors.items import MOST_SELECTED
from annotation.task_types.registry import InvalidValue, validate_value

MOST = 20_000  # the newest older labels that are looked through


@dataclass(frozen=True)
class Outdated:
    """Rows of items. `misfits`: their label does not fit the current schema, as where a field was added.
    `before`: it fits, and was given before some label existed; `added`: names of those labels. `is_cut`: there
    are more than were looked through.
    """

    version: int
    misfits: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    is_cut: bool = False

    def __bool__(self) -> bool:
        return bool(self.misfits or self.before)

    @property
    def misfit_rows(self) -> str:
        """The rows as a form sends them, no more than one action takes."""
        return row_ranges.to_text(self.misfits[:MOST_SELECTED])

    @property
    def before_rows(self) -> str:
        return row_ranges.to_text(self.before[:MOST_SELECTED])


def outdated(project: Project) -> Outdated | None:
    """What older versions left behind; None without a schema. Three queries, and none of a size that grows."""
    current = schemas.current(project)
    if current is None:
        return None
    older = {one.pk: one for one in project.schemas.exclude(pk=current.pk)}
    if not older:
        return Outdated(current.number)
    labels = Resolution.objects.filter(
        project=project, is_current=True, schema_version__in=older, item__held_back=""
    )
    found = list(labels.order_by("-pk").values_list("item__row", "value", "schema_version_id")[: MOST + 1])
    added = {pk: _added(one, current) for pk, one in older.items()}
    misfits, before, names = [], [], dict[str, str]()
    for row, value, version in found[:MOST]:
        if not _fits(current.definition, value):
            misfits.append(row)
        elif added[version]:
            before.append(row)
            names |= added[version]
    return Outdated(current.number, sorted(misfits), sorted(before), list(names.values()), len(found) > MOST)


def _fits(definition: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    try:
        validate_value(definition, value)
    except InvalidValue:
        return False
    return True


def _added(old: SchemaVersion, new: SchemaVersion) -> dict[str, str]:
    """Labels by id that the fields of both have gained."""
    known = {
        one["name"]: {label["id"] for label in one.get("labels", ())} for one in old.definition["fields"]
    }
    return {
        label["id"]: str(in_language(label, "name"))
        for one in new.definition["fields"]
        if one["name"] in known
        for label in one.get("labels", ())
        if label["id"] not in known[one["name"]]
    }
