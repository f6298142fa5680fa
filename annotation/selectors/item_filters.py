"""What of the items is looked for, and in which order: read from an address, and written into one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from annotation.models import Item, Project, Resolution
from annotation.selectors import schemas
from annotation.task_types.registry import InvalidDefinition, field_of

STATES = ("labelled", "waiting", "unlabelled", "unclear", "duplicate", "held_back", "deleted")
DECIDED = (*Resolution.Method.values, "disputed")
SORTS = ("row", "-row", "newest", "unsure")  # and "score.NAME"
SCORE = "score."
LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Filters:
    """All of them together; empty ones filter nothing.

    `label` and `suggested` are "field:label id"; `person` the uuid of a labeller, `tag` of a tag; `source` an
    id, `batch` a number; `meta` is "column=value". `sure_from` and `sure_to` bound the confidence of the
    suggestion.
    """

    text: str = ""
    state: str = ""
    label: str = ""
    suggested: str = ""
    sure_from: float | None = None
    sure_to: float | None = None
    decided: str = ""
    person: UUID | None = None
    tag: UUID | None = None
    source: int | None = None
    batch: int | None = None
    split: str = ""
    meta: str = ""

    @property
    def is_empty(self) -> bool:
        return self == Filters()

    def to_params(self) -> dict[str, str]:
        """As parameters of an address, those that filter."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) for name, value in found.items() if value not in ("", None)}


def from_params(params: Mapping[str, Any], project: Project) -> Filters:
    """Read an address. Nonsense is as good as nothing, so that an old link still opens."""

    def text(name: str) -> str:
        return str(params.get(name) or "").strip()[:LONGEST]

    def one_of(name: str, known: Any) -> str:
        return text(name) if text(name) in known else ""

    return Filters(
        text=text("text"),
        state=one_of("state", STATES),
        label=label_key(project, text("label")),
        suggested=label_key(project, text("suggested")),
        sure_from=_share(text("sure_from")),
        sure_to=_share(text("sure_to")),
        decided=one_of("decided", DECIDED),
        person=_uuid(text("person")),
        tag=_uuid(text("tag")),
        source=_number(text("source")),
        batch=_number(text("batch")),
        split=one_of("split", Item.Split.values),
        meta=text("meta") if text("meta").find("=") > 0 else "",
    )


def sort_of(given: str | None) -> str:
    """The order asked for; by row where it is none."""
    given = given or ""
    is_score = given.startswith(SCORE) and len(given) > len(SCORE)
    return given if given in SORTS or is_score else "row"


def label_key(project: Project, given: str) -> str:
    """ "field:label id" of what may be a label's id alone: then of the first field."""
    if not given or ":" in given:
        return given
    schema = schemas.current(project)
    try:
        return f"{field_of(schema.definition)['name']}:{given}" if schema else ""
    except InvalidDefinition:
        return ""


def _share(given: str) -> float | None:
    try:
        value = float(given)
    except ValueError:
        return None
    return min(1.0, max(0.0, value)) if math.isfinite(value) else None


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError:
        return None
