"""What showing suggestions does to the answers of one project: see quality.anchoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from annotation.models import Annotation, Labeller, Project
from annotation.quality import anchoring
from annotation.quality.anchoring import Anchoring, Outcome
from annotation.quality.intervals import Estimate, median
from annotation.selectors import looks, schemas
from annotation.selectors.prelabel_policy import agrees
from annotation.task_types.registry import task_type

MOST = 50_000  # the newest answers that are read, with their values: about a second of work
_MODE = Annotation.PrelabelMode


class _Row(NamedTuple):
    labeller: int
    answer: dict[str, Any]
    suggested: dict[str, Any]
    mode: str
    active_ms: int

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.mode == _MODE.SHOWN, agrees(self.suggested, self.answer))


@dataclass(frozen=True, kw_only=True)
class Report:
    """`by_label`: by the suggested label's id, most answers first; `by_person`: by name. Seconds are medians of
    the active time an item.
    """

    hidden_share: float
    overall: Anchoring
    by_label: list[Anchoring]
    by_person: list[Anchoring]
    seconds_shown: Estimate
    seconds_hidden: Estimate

    @property
    def is_empty(self) -> bool:
        return not (self.overall.shown.n and self.overall.hidden.n)


def report(project: Project) -> Report:
    """The newest answers to items that had a suggestion when it was drawn whether to show it. Three queries."""
    found = looks.standing(project).filter(
        prelabel__isnull=False, prelabel_mode__in=[_MODE.SHOWN, _MODE.HIDDEN]
    )
    values = found.order_by("-pk").values_list(
        *("labeller_id", "value", "prelabel__value", "prelabel_mode", "active_ms")
    )
    rows = [_Row._make(row) for row in values[:MOST]]
    field = schemas.label_field(schemas.require(project))
    names = {one.pk: _name(one) for one in _labellers({row.labeller for row in rows})}
    by_person = anchoring.by_key((names[row.labeller], row.outcome) for row in rows)
    return Report(
        hidden_share=project.prelabel_hidden_share,
        overall=anchoring.anchoring(row.outcome for row in rows),
        by_label=anchoring.by_key(
            (label, row.outcome) for row in rows if (label := _category(field, row.suggested)) is not None
        ),
        by_person=sorted(by_person, key=lambda row: str(row.key).casefold()),
        seconds_shown=_seconds(rows, _MODE.SHOWN),
        seconds_hidden=_seconds(rows, _MODE.HIDDEN),
    )


def _seconds(rows: list[_Row], mode: str) -> Estimate:
    return median([row.active_ms / 1000 for row in rows if row.mode == mode and row.active_ms])


def _category(field: Mapping[str, Any], suggested: Mapping[str, Any]) -> str | None:
    """The suggested class, where the first field is of a categorical type and the suggestion speaks of it."""
    name = field["name"]
    return task_type(field).category(field, suggested[name]) if name in suggested else None


def _labellers(pks: set[int]) -> list[Labeller]:
    return list(Labeller.objects.filter(pk__in=pks).select_related("user"))


def _name(labeller: Labeller) -> str:
    return str(labeller.user) if labeller.user else labeller.name
