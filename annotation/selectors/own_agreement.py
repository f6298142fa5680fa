"""How close a person's answers are to those of others on the same items, field by field; no name is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from annotation.models import Annotation, Labeller, Project, Slot
from annotation.quality.agreement import NO_PAIRS
from annotation.quality.intervals import RESAMPLES, Estimate, bootstrap_mean, undefined, wilson
from annotation.selectors import schemas
from annotation.selectors.answer_codes import apart
from annotation.selectors.choices import in_language
from annotation.task_types.labels import parents_of

LEAST_ITEMS = 5  # a bootstrap of fewer says nothing of its spread


@dataclass(frozen=True)
class FieldAgreement:
    """One field. `is_share`: answers are the same or not, and the figure is the share of others' answers that
    were the same (n: answers); else the mean over items of 1 − the distance of the field's type (n: items).
    """

    title: str
    is_share: bool
    closeness: Estimate


def by_field(user: Any, project: Project, own: Sequence[Annotation]) -> list[FieldAgreement]:
    """Every field of the current schema, in its order. `own`: standing answers of the person, one an item
    counts. Two queries.
    """
    schema = schemas.current(project)
    if schema is None:
        return []
    mine = {one.item_id: one.value for one in own}
    others = (
        Annotation.objects.filter(
            item_id__in=list(mine),
            slot__isnull=False,
            is_retraction=False,
            superseded_by__isnull=True,
            labeller__kind=Labeller.Kind.PERSON,
        )
        .exclude(labeller__user=user)
        .exclude(slot__purpose__in=Slot.MEASURING)
        .values_list("item_id", "value")
    )
    pairs = [(item_id, mine[item_id], value) for item_id, value in others]
    return [_of_field(field, pairs) for field in schema.definition["fields"]]


def _of_field(
    field: Mapping[str, Any], pairs: Sequence[tuple[int, Mapping[str, Any], Mapping[str, Any]]]
) -> FieldAgreement:
    """Only pairs in which both answered the field: it may be asked after an answer before, or be left out."""
    name = field["name"]
    by_item: dict[int, list[float]] = defaultdict(list)
    for item_id, mine, other in pairs:
        if name in mine and name in other:
            by_item[item_id].append(1.0 - apart(field, mine[name], other[name]))
    is_share = field["type"] == "classification" and not parents_of(field["labels"])
    title = str(in_language(field, "title") or name)
    if is_share:
        close = [one for item in by_item.values() for one in item]
        return FieldAgreement(title, True, wilson(round(sum(close)), len(close)))
    means = [fmean(item) for item in by_item.values()]
    if not means:
        return FieldAgreement(title, False, undefined(0, NO_PAIRS))
    resamples = RESAMPLES if len(means) >= LEAST_ITEMS else 0
    return FieldAgreement(title, False, bootstrap_mean(means, resamples=resamples))
