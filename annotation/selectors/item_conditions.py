"""Each filter as a condition: how to check it, and where there is an index, how to walk along it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from annotation.intake.words import matches, terms, words
from annotation.models import (
    Annotation,
    Batch,
    Item,
    ItemTag,
    Labeller,
    Prelabel,
    Project,
    Resolution,
    Review,
    Slot,
    Tag,
)
from annotation.selectors import item_labels
from annotation.selectors.item_filters import Filters
from annotation.selectors.item_streams import Stream, by_item, of_ids, of_items, of_text
from annotation.selectors.label_keys import label_keys

# Written out: SQLite finds the partial index (slot_open_item) by the text of its condition, not by parameters.
_OPEN: Any = RawSQL("state IN ('free', 'leased')", (), output_field=BooleanField())
_ITEM = OuterRef("pk")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """`check` in SQL for any item, `verify` for what SQL cannot say: the ids that pass. `stream` walks along
    items that may pass, in order of row; `few` gives up to so many ids that may pass, in any order, where
    another index is better at that.
    """

    check: Q = Q()
    verify: Callable[[Collection[int]], set[int]] | None = None
    stream: Stream | None = None
    few: Callable[[int], list[int]] | None = None


_NOTHING = Condition(check=Q(pk__in=()), stream=of_ids(()))


def conditions(project: Project, filters: Filters) -> list[Condition]:
    """What the filters ask for, the likely rarer first; and that a deleted item is shown only where asked
    for."""
    found = list(_asked(project, filters))
    if filters.state != "deleted":
        found.append(Condition(check=~Q(held_back=Item.DELETED)))
    return found


def _asked(project: Project, filters: Filters) -> Iterator[Condition]:
    items = Item.objects.filter(project=project)
    if filters.tag is not None:
        tag = Tag.objects.filter(project=project, uuid=filters.tag)
        yield _named(tag, lambda pk: ItemTag.objects.filter(tag=pk))
    if filters.batch is not None:
        batch = Batch.objects.filter(project=project, number=filters.batch)
        yield _named(batch, lambda pk: Slot.objects.filter(batch=pk))
    if filters.text:
        yield _text(project, filters.text)
    if filters.label:
        yield _label(project, filters.label)
    if filters.person is not None:
        person = Labeller.objects.filter(project=project, uuid=filters.person)
        yield _named(person, lambda pk: Annotation.objects.filter(labeller=pk, is_retraction=False))
    if filters.decided:
        yield _decided(project, filters.decided)
    if filters.state:
        yield _state(project, filters.state, items)
    if filters.suggested or filters.sure_from is not None or filters.sure_to is not None:
        yield _suggested(project, filters)
    if filters.source is not None:
        sourced = items.filter(source=filters.source)
        yield Condition(check=Q(source=filters.source), stream=of_items(sourced))
    if filters.split:
        yield Condition(check=Q(split=filters.split), stream=of_items(items.filter(split=filters.split)))
    if filters.meta:
        yield _meta(project, filters.meta)


def _named(owner: QuerySet[Any], rows_of: Callable[[int], QuerySet[Any]]) -> Condition:
    """Items of the rows that belong to one thing; none where it is not there."""
    pk = owner.values_list("pk", flat=True).first()
    if pk is None:
        return _NOTHING
    rows = rows_of(pk)
    return Condition(check=_exists(rows), stream=by_item(rows))


def _exists(rows: QuerySet[Any]) -> Q:
    return Q(Exists(rows.filter(item=_ITEM)))


def _text(project: Project, typed: str) -> Condition:
    wanted = terms(typed)
    if not wanted:
        return _NOTHING

    def verify(ids: Collection[int]) -> set[int]:
        texts = Item.objects.filter(pk__in=ids).values_list("pk", "normalised")
        return {pk for pk, normalised in texts if matches(words(normalised), wanted)}

    return Condition(verify=verify, stream=of_text(project, wanted))


def _label(project: Project, key: str) -> Condition:
    fresh = item_labels.fresh(project, key)
    return Condition(
        check=item_labels.check(project, key, fresh),
        verify=lambda ids: item_labels.having(ids, key),
        stream=item_labels.stream(project, key, fresh),
    )


def _decided(project: Project, how: str) -> Condition:
    current = Resolution.objects.filter(project=project, is_current=True)
    if how == "disputed":
        disputes = _disputes(project)
        return Condition(check=_exists(disputes), stream=by_item(disputes))
    decided = current.filter(method=how)
    if how == Resolution.Method.REVIEW:
        corrected = Review.objects.filter(project=project, state=Review.State.DONE, correction__isnull=False)
        return Condition(check=_exists(decided), stream=by_item(decided), few=_few(corrected))
    return Condition(check=_exists(decided), stream=by_item(current))


def _disputes(project: Project) -> QuerySet[Review]:
    return Review.objects.filter(project=project, kind=Review.Kind.DISPUTE, state=Review.State.PENDING)


def _few(rows: QuerySet[Any]) -> Callable[[int], list[int]]:
    return lambda most: list(rows.order_by().values_list("item_id", flat=True)[:most])


def _state(project: Project, state: str, items: QuerySet[Item]) -> Condition:
    decided = Resolution.objects.filter(project=project, is_current=True)
    waiting = Slot.objects.filter(_OPEN, project=project)
    if state == "labelled":
        return Condition(check=_exists(decided), stream=by_item(decided))
    if state == "waiting":
        return Condition(check=_exists(waiting), stream=by_item(waiting))
    if state == "unlabelled":
        return Condition(
            check=~_exists(decided) & ~_exists(waiting) & Q(duplicate_of__isnull=True, held_back="")
        )
    if state == "unclear":
        return _unclear(project)
    if state == "duplicate":
        return _plain(items, Q(duplicate_of__isnull=False))
    # written as the condition of the index that holds them
    held = items.exclude(held_back="")
    if state == "held_back":
        return Condition(check=~Q(held_back=""), stream=of_items(held))
    return Condition(check=Q(held_back=Item.DELETED), stream=of_items(held.filter(held_back=Item.DELETED)))


def _plain(items: QuerySet[Item], check: Q) -> Condition:
    return Condition(check=check, stream=of_items(items.filter(check)))


def _unclear(project: Project) -> Condition:
    """Somebody skipped it, or people cannot agree on it. Both are few, and named by published work alone."""
    skipped = Slot.objects.filter(batch__project=project, state=Slot.State.SKIPPED)
    disputes = _disputes(project)

    def ids() -> Iterable[int]:
        for rows in (skipped, disputes):
            yield from rows.order_by().values_list("item_id", flat=True)

    return Condition(
        check=_exists(skipped) | _exists(disputes), stream=lambda *asked: of_ids(set(ids()))(*asked)
    )


def _suggested(project: Project, filters: Filters) -> Condition:
    low = 0.0 if filters.sure_from is None else filters.sure_from
    high = 1.0 if filters.sure_to is None else filters.sure_to
    suggestions = Prelabel.objects.filter(project=project)
    in_range = suggestions.filter(confidence__gte=low, confidence__lte=high)

    def verify(ids: Collection[int]) -> set[int]:
        shown = item_labels.newest_suggestions(project, ids)
        return {
            pk
            for pk, one in shown.items()
            if low <= one.confidence <= high
            and (not filters.suggested or filters.suggested in label_keys(one.value))
        }

    # The range is left to `verify`: in SQL it would be looked for along the index of confidences, item by item.
    return Condition(
        check=_exists(Prelabel.objects.all()), verify=verify, stream=by_item(suggestions), few=_few(in_range)
    )


def _meta(project: Project, given: str) -> Condition:
    column, value = given.split("=", 1)
    same = Item.objects.filter(project=project).annotate(
        wanted=Cast(KeyTextTransform(column.strip(), "meta"), TextField())
    )
    return Condition(check=Q(Exists(same.filter(pk=_ITEM, wanted=value.strip()))))
