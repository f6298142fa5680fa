"""Orders of items other than by row, each along one index. A key is an item's place in the order.

Keys rise along the index; an order that shows the highest first is walked backwards.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import QuerySet

from annotation.models import IndexedScore, Labeller, Prelabel, Project, Resolution
from annotation.selectors.item_filters import SCORE
from annotation.selectors.item_labels import newest_suggestions

Key = tuple[float, int]  # a value and what orders equal values: (confidence, item), (score, item), (id, 0)
LONGEST_TOKEN = 60
_LARGEST = 2**62


class Found(NamedTuple):
    key: Key
    item: int


@dataclass(frozen=True)
class Order:
    """`rows` have the column `value` to sort by and the column `item`. `falls`: the highest comes first."""

    rows: QuerySet[Any]
    value: str
    falls: bool

    def next(self, after: Key | None, size: int, reverse: bool) -> list[Found]:
        """The next so many behind a key (with `reverse`, before it), along the index.

        Equal values first, then the others: a comparison of pairs would be no range of the index.
        """
        down = self.falls != reverse
        sign, beyond = ("-", "lt") if down else ("", "gt")
        order = (f"{sign}{self.value}", f"{sign}item")
        columns = (self.value, "item_id")
        found: list[tuple[float, int]] = []
        rows = self.rows
        if after is not None:
            same = rows.filter(**{self.value: after[0], f"item__{beyond}": after[1]})
            found = list(same.order_by(f"{sign}item").values_list(*columns)[:size])
            rows = rows.filter(**{f"{self.value}__{beyond}": after[0]})
        if len(found) < size:
            found += rows.order_by(*order).values_list(*columns)[: size - len(found)]
        return [Found((value, item), item) for value, item in found]

    def among(self, ids: Collection[int], after: Key | None, reverse: bool) -> list[Found]:
        """All of these items that the order knows, those behind a key."""
        down = self.falls != reverse
        pairs = self.rows.filter(item_id__in=ids).values_list(self.value, "item_id")
        found = sorted((Found((value, item), item) for value, item in pairs), reverse=down)
        if after is None:
            return found
        return [one for one in found if (one.key < after if down else one.key > after)]

    def current(self, found: list[Found]) -> list[Found]:
        """Without what is out of date: an item stands once in the order."""
        return found


@dataclass(frozen=True)
class _Suggestions(Order):
    """By the confidence of the suggestion that is shown; an item may have older ones."""

    project: Project

    def current(self, found: list[Found]) -> list[Found]:
        shown = newest_suggestions(self.project, {one.item for one in found})
        # two suggestions of one item may be equally sure: they have one key, and stand side by side
        known = {
            one.item: one for one in found if one.item in shown and shown[one.item].confidence == one.key[0]
        }
        return list(known.values())


def order_of(project: Project, sort: str) -> Order | None:
    """The order that a sort names; None for by row."""
    if sort == "newest":
        current = Resolution.objects.filter(project=project, is_current=True)
        return Order(current, "pk", falls=True)
    if sort == "unsure":
        kinds = [Labeller.Kind.MODEL, Labeller.Kind.RULE]
        suggestions = Prelabel.objects.filter(project=project, labeller__kind__in=kinds)
        return _Suggestions(suggestions, "confidence", falls=False, project=project)
    if sort.startswith(SCORE):
        scores = IndexedScore.objects.filter(project=project, name=sort[len(SCORE) :])
        return Order(scores, "value", falls=True)
    return None


def to_token(key: Key) -> str:
    """A key as it stands in an address; exact."""
    return f"{key[0]!r}_{key[1]}"


def from_token(token: str) -> Key | None:
    """The key of a token; None where it is none."""
    value, _sep, item = token[:LONGEST_TOKEN].rpartition("_")
    try:
        key = (float(value) if "." in value or "e" in value else int(value)), int(item)
    except ValueError:
        return None
    return key if all(-_LARGEST < part < _LARGEST for part in key) else None


def score_names(project: Project, most: int = 20) -> list[str]:
    """The score parts that items of the project have: one look into the index each."""
    names: list[str] = []
    while len(names) < most:
        later = IndexedScore.objects.filter(project=project, name__gt=names[-1] if names else "")
        name = later.order_by("name").values_list("name", flat=True).first()
        if name is None:
            break
        names.append(name)
    return names
