"""Items with what is known of each: label, suggestion, state, tags, scores. A fixed number of queries a page."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from annotation.models import (
    Annotation,
    IndexedScore,
    Item,
    ItemTag,
    Project,
    Resolution,
    Review,
    SchemaVersion,
    Slot,
)
from annotation.selectors import schemas
from annotation.selectors.item_labels import Suggestion, newest_suggestions
from annotation.selectors.value_text import value_text

LONGEST_VALUE = 120


@dataclass(frozen=True)
class TagMark:
    uuid: str
    name: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class ItemRow:
    """`label` and `suggestion` in words; `value` and `suggested` as stored. `rounds`: titles of the batches
    that the item was published in. `state`: one of item_filters.STATES.
    """

    pk: int
    row: int
    uuid: str
    text: str
    split: str
    state: str
    held_back: str
    label: str = ""
    value: dict[str, Any] | None = None
    method: str = ""
    suggestion: str = ""
    suggested: dict[str, Any] | None = None
    confidence: float | None = None
    is_waiting: bool = False
    is_disputed: bool = False
    tags: list[TagMark] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    rounds: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    source: str = ""
    external_id: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    added: datetime.datetime | None = None


@dataclass
class _Known:
    """What is known of a page of items, by item id; a duplicate shows what is known of its first item."""

    resolutions: dict[int, Resolution]
    suggestions: dict[int, Suggestion]
    waiting: set[int]
    disputed: set[int]
    tags: dict[int, list[TagMark]]
    scores: dict[int, dict[str, float]]
    rounds: dict[int, list[str]]
    people: dict[int, list[str]]
    definitions: dict[int, dict[str, Any]]
    newest: dict[str, Any] | None


def described(project: Project, ids: Sequence[int]) -> list[ItemRow]:
    """These items in this order."""
    items = Item.objects.select_related("source").in_bulk(ids)
    found = [items[pk] for pk in ids if pk in items]
    known = _known(project, found)
    return [_row(item, known) for item in found]


def _known(project: Project, items: Sequence[Item]) -> _Known:
    firsts = {item.duplicate_of_id or item.pk for item in items}
    current = Resolution.objects.filter(item_id__in=firsts, is_current=True)
    slots = Slot.objects.filter(item_id__in=firsts)
    waiting: set[int] = set()
    rounds: dict[int, list[str]] = defaultdict(list)
    for item_id, state, number, title in slots.order_by("pk").values_list(
        "item_id", "state", "batch__number", "batch__title"
    ):
        if state in (Slot.State.FREE, Slot.State.LEASED):
            waiting.add(item_id)
        name = title or str(number)
        if name not in rounds[item_id]:
            rounds[item_id].append(name)
    disputes = Review.objects.filter(item_id__in=firsts, kind=Review.Kind.DISPUTE, state=Review.State.PENDING)
    definitions = {one.pk: one.definition for one in SchemaVersion.objects.filter(project=project)}
    newest = schemas.current(project)
    return _Known(
        resolutions={one.item_id: one for one in current},
        suggestions=newest_suggestions(project, firsts),
        waiting=waiting,
        disputed=set(disputes.values_list("item_id", flat=True)),
        tags=_tags([item.pk for item in items]),
        scores=_scores(firsts),
        rounds=rounds,
        people=_people(firsts),
        definitions=definitions,
        newest=newest.definition if newest else None,
    )


def _tags(ids: Sequence[int]) -> dict[int, list[TagMark]]:
    found: dict[int, list[TagMark]] = defaultdict(list)
    for one in ItemTag.objects.filter(item_id__in=ids).select_related("tag").order_by("tag__name"):
        found[one.item_id].append(TagMark(str(one.tag.uuid), one.tag.name, one.tag.colour))
    return found


def _scores(ids: set[int]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = defaultdict(dict)
    scores = IndexedScore.objects.filter(item_id__in=ids).order_by("name")
    for item_id, name, value in scores.values_list("item_id", "name", "value"):
        found[item_id][name] = value
    return found


def _people(ids: set[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    answers = Annotation.objects.filter(
        item_id__in=ids, is_retraction=False, superseded_by__isnull=True
    ).order_by("pk")
    for item_id, name in answers.values_list("item_id", "labeller__name"):
        if name not in found[item_id]:
            found[item_id].append(name)
    return found


def _row(item: Item, known: _Known) -> ItemRow:
    first = item.duplicate_of_id or item.pk
    resolution, suggestion = known.resolutions.get(first), known.suggestions.get(first)
    definition = known.definitions.get(resolution.schema_version_id) if resolution else None
    say = partial(value_text, longest=LONGEST_VALUE, text=item.text)
    return ItemRow(
        pk=item.pk,
        row=item.row,
        uuid=str(item.uuid),
        text=item.text,
        split=item.split,
        state=_state(item, first, known),
        held_back=item.held_back,
        label=say(definition, resolution.value) if resolution else "",
        value=resolution.value if resolution else None,
        method=resolution.method if resolution else "",
        suggestion=say(known.newest, suggestion.value) if suggestion else "",
        suggested=suggestion.value if suggestion else None,
        confidence=suggestion.confidence if suggestion else None,
        is_waiting=first in known.waiting,
        is_disputed=first in known.disputed,
        tags=known.tags.get(item.pk, []),
        scores=known.scores.get(first, {}),
        rounds=known.rounds.get(first, []),
        people=known.people.get(first, []),
        source=item.source.name,
        external_id=item.external_id,
        meta=item.meta,
        added=item.created_at,
    )


def _state(item: Item, first: int, known: _Known) -> str:
    if item.held_back == Item.DELETED:
        return "deleted"
    if item.held_back:
        return "held_back"
    if item.duplicate_of_id:
        return "duplicate"
    if first in known.disputed:
        return "unclear"
    if first in known.resolutions:
        return "labelled"
    return "waiting" if first in known.waiting else "unlabelled"
