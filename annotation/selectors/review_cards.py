"""What a reviewer sees of one review: the item, who said what (without names), what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotation.models import Annotation, Labeller, Review, SchemaVersion
from annotation.selectors import schemas
from annotation.selectors.queue import presentation_seed, shown_content, shown_meta
from annotation.selectors.value_text import value_text

# A reviewer judges the answer, not the person: people are numbered in the order in which they answered.


@dataclass(frozen=True)
class Look:
    """One answer to the item. `person` counts from one; 0 is an import, or whatever else is no person."""

    person: int
    value: dict[str, Any]
    said: str
    active_seconds: float | None
    accepted: bool
    is_checked: bool


@dataclass(frozen=True)
class Card:
    """`given` is the value under a spot check, and empty for a dispute; `said` the same in words."""

    review: Review
    text: str
    content: dict[str, Any]
    meta: list[dict[str, str]]
    given: dict[str, Any]
    said: str
    looks: list[Look]


def card(review: Review, schema: SchemaVersion | None = None) -> Card:
    """Two queries, or three without the schema. Responses stand in an order that is the review's own."""
    review = Review.objects.select_related("item", "annotation", "project").get(pk=review.pk)
    definition = (schema or schemas.require(review.project)).definition
    current = Annotation.objects.filter(
        item=review.item, is_retraction=False, superseded_by__isnull=True
    ).select_related("labeller")
    people: dict[int, int] = {}
    looks = []
    for one in current.order_by("pk"):
        is_person = one.labeller.kind == Labeller.Kind.PERSON
        number = people.setdefault(one.labeller_id, len(people) + 1) if is_person else 0
        seconds = one.active_ms / 1000 if one.active_ms else None
        said = value_text(definition, one.value)
        is_checked = one.pk == review.annotation_id
        looks.append(Look(number, one.value, said, seconds, one.accepted_prelabel, is_checked))
    given = dict(review.annotation.value) if review.annotation else {}
    return Card(
        review=review,
        text=review.item.text,
        content=shown_content(review.item.data, presentation_seed(review.uuid, review.item.uuid)),
        meta=shown_meta(definition, review.item.meta),
        given=given,
        said=value_text(definition, given),
        looks=looks,
    )
