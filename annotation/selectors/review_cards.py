"""What a reviewer sees of one review: the text, who said what (without names), what is asked."""

from __future__ import annotations

from dataclasses import dataclass

from annotation.models import Annotation, Labeller, Review

# A reviewer judges the answer, not the person: people are numbered in the order in which they answered.


@dataclass(frozen=True)
class Look:
    """One answer to the item. `person` counts from one; 0 is an import, or whatever else is no person."""

    person: int
    label: str
    active_seconds: float | None
    accepted: bool
    is_checked: bool


@dataclass(frozen=True)
class Card:
    review: Review
    text: str
    given: str
    looks: list[Look]


def card(review: Review, field: str) -> Card:
    """Two queries. `given` is the label under a spot check, and empty for a dispute."""
    review = Review.objects.select_related("item", "annotation").get(pk=review.pk)
    current = Annotation.objects.filter(
        item=review.item, is_retraction=False, superseded_by__isnull=True
    ).select_related("labeller")
    people: dict[int, int] = {}
    looks = []
    for one in current.order_by("pk"):
        is_person = one.labeller.kind == Labeller.Kind.PERSON
        number = people.setdefault(one.labeller_id, len(people) + 1) if is_person else 0
        seconds = one.active_ms / 1000 if one.active_ms else None
        label = str(one.value.get(field, ""))
        looks.append(Look(number, label, seconds, one.accepted_prelabel, one.pk == review.annotation_id))
    given = str(review.annotation.value.get(field, "")) if review.annotation else ""
    return Card(review, review.item.text, given, looks)
