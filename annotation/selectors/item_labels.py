"""Which items have a final label, quickly: by the index, and by looking at what is not in it yet.

The index says which items had the label when it was made; what was decided since is looked at one by one, and
every item found is held against its label of now. So the answer is right however far the index is, as long as
no more than `MOST_FRESH` labels are missing from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q

from annotation.models import IndexedLabel, Item, Labeller, Prelabel, Project, Resolution, SearchState
from annotation.selectors.item_streams import Stream, by_item, merged, of_ids
from annotation.selectors.label_keys import label_keys

MOST_FRESH = 5_000


class Suggestion(NamedTuple):
    confidence: float
    value: dict[str, Any]


def fresh(project: Project, key: str) -> list[int]:
    """Items that got the label since the index was brought up to date."""
    mark = SearchState.objects.filter(project=project).values_list("resolution", flat=True).first() or 0
    found = Resolution.objects.filter(project=project, is_current=True, pk__gt=mark).order_by("pk")
    pairs = found.values_list("item_id", "value")[:MOST_FRESH]
    return [item_id for item_id, value in pairs if key in label_keys(value)]


def unindexed(project: Project) -> bool:
    """Whether more labels are missing from the index than are looked at one by one."""
    mark = SearchState.objects.filter(project=project).values_list("resolution", flat=True).first() or 0
    found = Resolution.objects.filter(project=project, is_current=True, pk__gt=mark).order_by("pk")
    return bool(found.values_list("pk", flat=True)[MOST_FRESH : MOST_FRESH + 1])


def check(project: Project, key: str, fresh_ids: list[int]) -> Q:
    indexed = IndexedLabel.objects.filter(project=project, key=key, item=OuterRef("pk"))
    return Q(Exists(indexed)) | Q(pk__in=fresh_ids)


def stream(project: Project, key: str, fresh_ids: list[int]) -> Stream:
    indexed = by_item(IndexedLabel.objects.filter(project=project, key=key))
    return merged(indexed, of_ids(fresh_ids)) if fresh_ids else indexed


def having(item_ids: Iterable[int], key: str) -> set[int]:
    """Those of the items whose final label is this one now."""
    current = Resolution.objects.filter(item_id__in=list(item_ids), is_current=True)
    return {pk for pk, value in current.values_list("item_id", "value") if key in label_keys(value)}


def final_answer(project: Project, row: int, field: str) -> Any:
    """What the item at `row` was finally given in this field; None for an item without a final label, and for
    one that is not there to train on: what is known of it may teach nothing.
    """
    found = Resolution.objects.filter(
        project=project, item__row=row, item__split=Item.Split.TRAIN, is_current=True
    )
    return (found.values_list("value", flat=True).first() or {}).get(field)


def newest_suggestions(project: Project, item_ids: Iterable[int]) -> dict[int, Suggestion]:
    """The suggestion that people are shown, by item: the newest of a model or a rule."""
    machines = Labeller.objects.filter(
        project=project, kind__in=[Labeller.Kind.MODEL, Labeller.Kind.RULE]
    ).values_list("pk", flat=True)
    found = Prelabel.objects.filter(item_id__in=list(item_ids), labeller__in=list(machines))
    rows = found.order_by("pk").values_list("item_id", "confidence", "value")
    return {item_id: Suggestion(confidence, value) for item_id, confidence, value in rows}
