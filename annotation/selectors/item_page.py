"""One item with all that is known of it: who answered what and when, suggestions, slots, reviews, history."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from accounts.models import AuditEntry
from annotation.models import (
    Annotation,
    Discussion,
    Item,
    Prelabel,
    Project,
    Resolution,
    Review,
    SchemaVersion,
    Slot,
)
from annotation.selectors import action_words, row_ranges, schemas
from annotation.selectors.item_rows import ItemRow, described
from annotation.selectors.value_text import value_text

MOST = 100  # of each kind
MOST_ENTRIES = 1_000  # of the project's audit log that are looked through for this item
LONGEST_VALUE = 400


@dataclass(frozen=True)
class Answer:
    """`is_standing`: nobody corrected it, and it was not taken back."""

    annotation: Annotation
    said: str
    is_standing: bool
    seconds: float | None


@dataclass(frozen=True)
class Suggested:
    prelabel: Prelabel
    said: str


@dataclass(frozen=True)
class Decision:
    resolution: Resolution
    said: str


@dataclass(frozen=True)
class Event:
    at: datetime.datetime
    actor: str
    what: str
    detail: str


@dataclass(frozen=True)
class ItemPage:
    item: Item
    known: ItemRow
    answers: list[Answer]
    suggestions: list[Suggested]
    decisions: list[Decision]
    slots: list[Slot]
    reviews: list[Review]
    discussions: list[Discussion]
    duplicates: list[int]
    events: list[Event]


def item_page(project: Project, row: int) -> ItemPage | None:
    """The item of a row; None where there is none. A fixed number of queries."""
    items = Item.objects.select_related("source", "duplicate_of", "import_run")
    item = items.filter(project=project, row=row).first()
    if item is None:
        return None
    definitions = {one.pk: one.definition for one in SchemaVersion.objects.filter(project=project)}
    newest = schemas.current(project)
    prelabels = Prelabel.objects.filter(item=item).select_related("labeller").order_by("-pk")[:MOST]
    slots = Slot.objects.filter(item=item).select_related("person", "batch", "assigned_to", "assigned_group")
    reviews = Review.objects.filter(item=item).select_related("reviewer")
    return ItemPage(
        item=item,
        known=described(project, [item.pk])[0],
        answers=_answers(item, definitions),
        suggestions=[
            Suggested(
                one,
                value_text(
                    newest.definition if newest else None, one.value, longest=LONGEST_VALUE, text=item.text
                ),
            )
            for one in prelabels
        ],
        decisions=_decisions(item, definitions),
        slots=list(slots.order_by("-pk")[:MOST]),
        reviews=list(reviews.order_by("-pk")[:MOST]),
        discussions=list(Discussion.objects.filter(item=item)[:MOST]),
        duplicates=list(item.duplicates.order_by("row").values_list("row", flat=True)[:MOST]),
        events=_events(project, item),
    )


def _said(item: Item, definition: dict[str, Any] | None, value: dict[str, Any]) -> str:
    return value_text(definition, value, longest=LONGEST_VALUE, text=item.text)


def _answers(item: Item, definitions: dict[int, dict[str, Any]]) -> list[Answer]:
    found = Annotation.objects.filter(item=item).select_related(
        "labeller", "schema_version", "guideline_version", "slot", "superseded_by"
    )
    return [
        Answer(
            one,
            value_text(
                definitions.get(one.schema_version_id), one.value, longest=LONGEST_VALUE, text=item.text
            ),
            not one.is_retraction and getattr(one, "superseded_by", None) is None,
            one.active_ms / 1000 if one.active_ms else None,
        )
        for one in found.order_by("-pk")[:MOST]
    ]


def _decisions(item: Item, definitions: dict[int, dict[str, Any]]) -> list[Decision]:
    found = Resolution.objects.filter(item=item).select_related("decided_by", "schema_version")
    return [
        Decision(
            one,
            value_text(
                definitions.get(one.schema_version_id), one.value, longest=LONGEST_VALUE, text=item.text
            ),
        )
        for one in found.order_by("-pk")[:MOST]
    ]


def _events(project: Project, item: Item) -> list[Event]:
    """What people did to it together with others: the newest entries that name its row."""
    entries = AuditEntry.objects.filter(scope=project.uuid, verb__startswith="items.", data__has_key="rows")
    found = []
    for entry in entries.select_related("actor").order_by("-pk")[:MOST_ENTRIES]:
        if row_ranges.holds(entry.data["rows"], item.row):
            told = [str(entry.data[name]) for name in ("tag", "to", "reason") if entry.data.get(name)]
            what = action_words.event(entry.verb)
            found.append(Event(entry.at, str(entry.actor or ""), what, ", ".join(told)))
    return found
