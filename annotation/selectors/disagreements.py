"""The items that people label differently: a cell of the confusion matrix, opened."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from annotation.models import Item, Project
from annotation.selectors import answer_codes, looks, schemas
from annotation.selectors.looks import Look
from annotation.task_types import registry


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One item on which two people chose different labels; `given`: (name, label id), oldest first."""

    row: int
    text: str
    given: list[tuple[str, str]]


def disagreements(
    project: Project, label_a: str, label_b: str, *, name: str | None = None, limit: int = 50
) -> list[Disagreement]:
    """The newest items to which people gave both labels: the cell of the confusion matrix, opened."""
    field = registry.field_of(schemas.require(project).definition, name)
    coded = answer_codes.codes(field, looks.newest(project, field["name"]))
    by_item: dict[int, list[Look]] = defaultdict(list)
    for look in looks.on_items_seen_twice(coded.looks):
        by_item[look.item].append(look)
    wanted = {label_a, label_b}
    found = [item for item, own in by_item.items() if wanted <= {look.label for look in own}][-limit:]
    items = Item.objects.in_bulk(found)
    names = looks.names({look.labeller for item in found for look in by_item[item]})
    return [
        Disagreement(
            row=items[item].row,
            text=items[item].text,
            given=[(names[look.labeller], look.label) for look in by_item[item]],
        )
        for item in reversed(found)
    ]
