"""Machine suggestions: stored under their labeller; which one is shown is decided in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from accounts.selectors.prepared import insert_many
from annotation.models import Labeller, Prelabel, Project
from annotation.selectors import schemas, suggestible
from annotation.selectors.queue import is_anybody_labelling
from annotation.services.archive import guard_writable
from annotation.task_types.content import content_of
from annotation.task_types.registry import validate_part
from jobs.services.pacing import giving_way

AT_ONCE = 100  # rows a transaction: people label meanwhile
Suggestion = tuple[int, Mapping[str, Any], float, Mapping[str, float]]


def store(project: Project, labeller: Labeller, suggestions: Iterable[Suggestion]) -> int:
    """Store (item id, value, confidence, scores by label); what the same labeller said of an item before
    stays. A value may answer some of the fields only.

    Raises:
        InvalidValue: a value does not fit the schema.
        ValueError: a confidence is not between 0 and 1, or an item is not of this project.
    """
    guard_writable(project)
    definition = schemas.require(project).definition
    suggestions = list(suggestions)
    found = project.items.filter(pk__in={item_id for item_id, *_rest in suggestions})
    contents = {pk: content_of(text, data) for pk, text, data in found.values_list("pk", "text", "data")}
    strangers = {item_id for item_id, *_rest in suggestions} - contents.keys()
    if strangers:
        raise ValueError(
            f"{len(strangers)} of {len({one[0] for one in suggestions})} items are not in {project}: "
            "suggest for its own items"
        )
    rows = []
    for item_id, value, confidence, scores in suggestions:
        if not 0.0 <= confidence <= 1.0:
            raise ValueError(f"a confidence of {confidence} is not possible: give a number from 0 to 1")
        rows.append(
            Prelabel(
                project=project,
                item_id=item_id,
                labeller=labeller,
                value=validate_part(definition, value, contents[item_id]),
                confidence=confidence,
                scores=dict(scores),
            )
        )
    for at in range(0, len(rows), AT_ONCE):
        with giving_way(in_company=is_anybody_labelling()):
            insert_many(rows[at : at + AT_ONCE], on_conflict="DO NOTHING")
    return len(rows)


@transaction.atomic
def replace(project: Project, labeller: Labeller, suggestions: Iterable[Suggestion], *, earlier: str) -> int:
    """As `store`, and what labellers whose key begins with `earlier` suggested for the same items goes, where
    nobody has acted on it. A few hundred at a time: it is one transaction.
    """
    suggestions = list(suggestions)
    items = [item_id for item_id, *_rest in suggestions]
    suggestible.untouched(project, earlier).filter(item__in=items).exclude(labeller=labeller).delete()
    return store(project, labeller, suggestions)


def withdraw(project: Project, prefix: str) -> int:
    """Take back what labellers whose key begins with `prefix` suggested, where nobody has acted on it; the next
    `AT_ONCE` at most. 0 when nothing is left.
    """
    guard_writable(project)
    found = suggestible.untouched(project, prefix).order_by("pk")
    block = list(found.values_list("pk", flat=True)[:AT_ONCE])
    Prelabel.objects.filter(pk__in=block).delete()
    return len(block)
