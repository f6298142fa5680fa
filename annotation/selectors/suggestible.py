"""Items that may get a suggestion, and resolved ones by which suggestions are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation.models import Annotation, Item, Labeller, Prelabel, Project, Rejection, Resolution, Slot
from annotation.selectors.looks import decided_unaided

_KINDS = (Labeller.Kind.MODEL, Labeller.Kind.RULE)
_BLOCK = 500


def open_items(project: Project) -> QuerySet[Item]:
    """Train items that nobody has decided, first of their text and not held back."""
    decided = Resolution.objects.filter(item=OuterRef("pk"), is_current=True)
    found = Item.objects.filter(
        project=project, split=Item.Split.TRAIN, duplicate_of__isnull=True, held_back=""
    )
    return found.exclude(Exists(decided))


def lacking(project: Project, *, labeller: Labeller, replaced: str) -> QuerySet[Item]:
    """Open items without a suggestion of `labeller` and of all others, but for those whose key begins with
    `replaced`."""
    held = Prelabel.objects.filter(item=OuterRef("pk"), labeller__kind__in=_KINDS)
    held = held.filter(Q(labeller=labeller) | ~Q(labeller__key__startswith=replaced))
    return open_items(project).exclude(Exists(held))


def next_in_queue(project: Project, found: QuerySet[Item], limit: int) -> list[int]:
    """Rows of the first `limit` of these items in the order in which the queue hands them out."""
    slots = Slot.objects.filter(project=project, state=Slot.State.FREE)
    slots = slots.exclude(purpose__in=[*Slot.MEASURING, Slot.Purpose.EVALUATION]).order_by("rank", "place")
    return _first(found, "pk", slots.values_list("item_id", flat=True).iterator(chunk_size=_BLOCK), limit)


def at_random(project: Project, found: QuerySet[Item], limit: int, seed: int) -> list[int]:
    """Rows of `limit` of these items drawn at random, all alike; the same ones for the same seed and items."""
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    drawn = np.random.default_rng([seed, 17]).permutation(0 if last is None else last + 1)
    return _first(found, "row", (int(row) for row in drawn), limit)


def _first(found: QuerySet[Item], key: str, wanted: Iterable[int], limit: int) -> list[int]:
    """Rows of the first `limit` of `wanted` that are among these items, each once. A query a block."""
    rows: dict[int, None] = {}
    block: list[int] = []
    for one in wanted:
        if len(rows) >= limit:
            return list(rows)[:limit]
        block.append(one)
        if len(block) == _BLOCK:
            rows.update(dict.fromkeys(_held(found, key, block)))
            block = []
    rows.update(dict.fromkeys(_held(found, key, block)))
    return list(rows)[:limit]


def _held(found: QuerySet[Item], key: str, block: list[int]) -> list[int]:
    rows = dict(found.filter(**{f"{key}__in": block}).values_list(key, "row"))
    return [rows[one] for one in block if one in rows]


def judged(project: Project, field: str, most: int) -> Iterator[tuple[int, str, Any]]:
    """(row, text, answer) of the newest `most` resolved items whose answer owes nothing to a suggestion, of
    those that answer the field. Test items stay out: what is tuned on them cannot be judged by them.
    """
    found = Resolution.objects.filter(project=project, is_current=True, item__held_back="")
    found = found.filter(decided_unaided() | Q(method=Resolution.Method.IMPORT))
    found = found.exclude(item__split=Item.Split.TEST).order_by("-pk")
    for row, text, value in found.values_list("item__row", "item__text", "value")[:most]:
        if field in value:
            yield row, text, value[field]


def untouched(project: Project, prefix: str) -> QuerySet[Prelabel]:
    """Suggestions of labellers whose key begins with `prefix` that nobody has acted on."""
    used = Annotation.objects.filter(prelabel=OuterRef("pk"))
    rejected = Rejection.objects.filter(prelabel=OuterRef("pk"))
    found = Prelabel.objects.filter(project=project, labeller__key__startswith=prefix)
    return found.exclude(Exists(used)).exclude(Exists(rejected))
