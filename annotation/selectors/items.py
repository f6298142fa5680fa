"""The items of a project, page by page. Pages follow the row, so page 10,000 costs what the first does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Lower

from annotation.models import Item, Project, Resolution, Slot
from annotation.selectors.value_text import value_text

PAGE = 50
STATES = ("labelled", "waiting", "unlabelled", "duplicate", "held_back")


@dataclass(frozen=True)
class Filters:
    """What to show. Unknown or empty values filter nothing."""

    split: str = ""
    state: str = ""
    text: str = ""
    label: str = ""


@dataclass(frozen=True)
class ItemRow:
    row: int
    uuid: str
    text: str
    split: str
    label: str | None
    method: str
    state: str


@dataclass(frozen=True)
class Page:
    """`before` and `after` are rows to continue from; None at an end."""

    rows: list[ItemRow]
    before: int | None
    after: int | None


def page(
    project: Project,
    filters: Filters,
    *,
    after: int | None = None,
    before: int | None = None,
    size: int = PAGE,
) -> Page:
    """The items behind row `after` (or before row `before`, the last `size` of them), lowest row first.

    Nothing is counted: one query takes a row more than shown to know whether there is another page.
    """
    items = filtered(project, filters)
    if before is not None:
        found = list(items.filter(row__lt=before).order_by("-row")[: size + 1])
        more = len(found) > size
        found = found[:size][::-1]
        has_before, has_after = more, bool(found)
    else:
        found = list(items.filter(row__gt=-1 if after is None else after).order_by("row")[: size + 1])
        has_after = len(found) > size
        found = found[:size]
        has_before = after is not None and bool(found)
    rows = _described(project, found)
    return Page(
        rows=rows,
        before=found[0].row if has_before else None,
        after=found[-1].row if has_after else None,
    )


def filtered(project: Project, filters: Filters) -> QuerySet[Item]:
    items = Item.objects.filter(project=project)
    if filters.split in Item.Split.values:
        items = items.filter(split=filters.split)
    if filters.text:
        # a substring has no index: the scan ends once the page is full
        items = items.annotate(lower=Lower("text")).filter(lower__contains=filters.text.lower())
    resolved = Resolution.objects.filter(item=OuterRef("pk"), is_current=True)
    if filters.label:
        items = items.filter(Exists(resolved.filter(value__label=filters.label)))
    open_slots = Slot.objects.filter(item=OuterRef("pk"), state__in=[Slot.State.FREE, Slot.State.LEASED])
    if filters.state == "labelled":
        items = items.filter(Exists(resolved))
    elif filters.state == "waiting":
        items = items.filter(Exists(open_slots))
    elif filters.state == "unlabelled":
        items = items.filter(~Exists(resolved), ~Exists(open_slots), duplicate_of__isnull=True, held_back="")
    elif filters.state == "duplicate":
        items = items.filter(duplicate_of__isnull=False)
    elif filters.state == "held_back":
        items = items.exclude(held_back="")
    return items


def _described(project: Project, found: Iterable[Item]) -> list[ItemRow]:
    """Labels and states of a page of items, in two queries. A duplicate shows the label of its first item."""
    items = list(found)
    first_ids = {item.duplicate_of_id or item.pk for item in items}
    resolved: dict[int, Any] = {
        one.item_id: one
        for one in Resolution.objects.filter(item_id__in=first_ids, is_current=True).select_related(
            "schema_version"
        )
    }
    waiting = set(
        Slot.objects.filter(
            item_id__in=first_ids, state__in=[Slot.State.FREE, Slot.State.LEASED]
        ).values_list("item_id", flat=True)
    )
    return [_described_one(item, resolved.get(item.duplicate_of_id or item.pk), waiting) for item in items]


def _described_one(item: Item, resolution: Resolution | None, waiting: set[int]) -> ItemRow:
    if item.held_back:
        state = "held_back"
    elif item.duplicate_of_id:
        state = "duplicate"
    elif resolution is not None:
        state = "labelled"
    else:
        state = "waiting" if item.pk in waiting else "unlabelled"
    return ItemRow(
        row=item.row,
        uuid=str(item.uuid),
        text=item.text,
        split=item.get_split_display(),
        label=_label(resolution) if resolution else None,
        method=resolution.get_method_display() if resolution else "",
        state=state,
    )


def _label(resolution: Resolution) -> str | None:
    """The id of a single label; answers of other types in words."""
    answer = next(iter(resolution.value.values()), None)
    if answer is None or isinstance(answer, str):
        return answer
    return value_text(resolution.schema_version.definition, resolution.value, longest=120)


def uuids(item_ids: Iterable[int]) -> dict[int, UUID]:
    """Public names of items, by id."""
    return dict(Item.objects.filter(pk__in=list(item_ids)).values_list("pk", "uuid"))


def ids(project: Project, wanted: Iterable[UUID]) -> dict[UUID, int]:
    """Ids by public name, of those that are in the project."""
    return dict(Item.objects.filter(project=project, uuid__in=list(wanted)).values_list("uuid", "pk"))
