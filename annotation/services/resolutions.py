"""Final labels, recomputed from the facts each time; never counted up.

A reviewer's word beats votes, votes beat a suggestion that was accepted in bulk, that beats an imported label,
and a tie is nobody's word: it waits for a reviewer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.selectors.prepared import given, insert, prepared
from annotation.models import Annotation, Item, Labeller, Project, Resolution, SchemaVersion, Slot
from annotation.selectors import schemas
from annotation.services import disputes
from annotation.signals import resolution_changed, send_on_commit
from annotation.task_types import registry

_METHOD = Resolution.Method


@dataclass(frozen=True)
class _Ruling:
    value: dict[str, Any]
    posterior: dict[str, dict[str, float]]
    method: str
    votes: int
    decided_by_id: int | None


@transaction.atomic
def resolve(project: Project, item_ids: Iterable[int]) -> list[int]:
    """Bring the final labels of these items up to date; the ids whose label changed.

    An item whose labellers are tied has no final label and gets an open dispute. Cost: a fixed number of
    queries, however many items.
    """
    locked = Item.objects.select_for_update(of=("self",), no_key=True)
    items = list(locked.filter(pk__in=set(item_ids)).order_by("pk"))
    return resolve_locked(project, items, schemas.require(project))


def resolve_locked(project: Project, items: Sequence[Item], schema: SchemaVersion) -> list[int]:
    """`resolve`, for a caller in a transaction that holds the items already.

    They must be held until the end, so that two labellers of one item who submit at once do not both write a
    current label.
    """
    ids = [item.pk for item in items]
    facts: dict[int, list[Annotation]] = defaultdict(list)
    alone = len(ids) == 1  # an answer just given, the common case
    for annotation in _standing_of_one().all(item=ids[0]) if alone else _standing(ids):
        facts[annotation.item_id].append(annotation)
    found = _current_of_one().all(item=ids[0]) if alone else _current(ids)
    current = {resolution.item_id: resolution for resolution in found}
    rulings = {pk: _rule(facts[pk], schema.definition) for pk in ids}
    changed = [pk for pk in ids if not _same(current.get(pk), rulings[pk][0])]
    stale = [pk for pk in changed if pk in current]
    if stale:
        Resolution.objects.filter(item_id__in=stale, is_current=True).update(is_current=False)
    fresh = [_row(project, schema, pk, ruling) for pk in changed if (ruling := rulings[pk][0]) is not None]
    if len(fresh) == 1:
        insert(fresh[0])
    else:
        Resolution.objects.bulk_create(fresh)
    disputes.withdraw(pk for pk in ids if not rulings[pk][1])
    for item in items:
        if rulings[item.pk][1]:
            disputes.open_for(item)
    if changed:
        send_on_commit(resolution_changed, Resolution, project_id=project.pk, item_ids=changed)
    return changed


def _standing(item_ids: Sequence[Any]) -> QuerySet[Annotation]:
    standing = Annotation.objects.filter(
        item__pk__in=item_ids, superseded_by__isnull=True, is_retraction=False
    )
    deciding = standing.exclude(slot__purpose__in=Slot.MEASURING)
    return deciding.select_related("labeller").order_by("pk")


def _current(item_ids: Sequence[Any]) -> QuerySet[Resolution]:
    return Resolution.objects.filter(item__pk__in=item_ids, is_current=True)


@prepared
def _standing_of_one() -> QuerySet[Annotation]:
    return _standing([given("item")])


@prepared
def _current_of_one() -> QuerySet[Resolution]:
    return _current([given("item")])


def _row(project: Project, schema: SchemaVersion, item_id: int, ruling: _Ruling) -> Resolution:
    return Resolution(
        project=project,
        item_id=item_id,
        schema_version=schema,
        value=ruling.value,
        posterior=ruling.posterior,
        method=ruling.method,
        votes=ruling.votes,
        decided_by_id=ruling.decided_by_id,
    )


def _rule(facts: Sequence[Annotation], definition: Mapping[str, Any]) -> tuple[_Ruling | None, bool]:
    """The ruling on one item's standing annotations, oldest first; and whether its labellers are tied."""
    known = {field["name"] for field in definition["fields"]}
    facts = [fact for fact in facts if known & fact.value.keys()]
    reviewed = [f for f in facts if f.slot_id is None and f.labeller.kind == Labeller.Kind.PERSON]
    looks = [f for f in facts if f.slot_id is not None]
    bulk = [f for f in facts if f.bulk_acceptance_id is not None]
    imported = [f for f in facts if f.labeller.kind == Labeller.Kind.IMPORT]
    if reviewed:
        return _one(reviewed[-1], definition, _METHOD.REVIEW), False
    if len(looks) == 1:
        return _one(looks[0], definition, _METHOD.SINGLE), False
    if looks:
        combined = registry.combine(definition, [look.value for look in looks])
        if combined.answer is None:
            return None, True
        return _Ruling(combined.answer, combined.posterior, _METHOD.MAJORITY, len(looks), None), False
    if bulk:
        return _one(bulk[-1], definition, _METHOD.BULK), False
    if imported:
        return _one(imported[-1], definition, _METHOD.IMPORT), False
    return None, False


def _one(fact: Annotation, definition: Mapping[str, Any], method: str) -> _Ruling:
    posterior: dict[str, dict[str, float]] = registry.combine(definition, [fact.value]).posterior
    return _Ruling(fact.value, posterior, method, 1, fact.labeller_id)


def _same(row: Resolution | None, ruling: _Ruling | None) -> bool:
    if row is None or ruling is None:
        return row is None and ruling is None
    return (row.value, row.posterior, row.method, row.votes) == (
        ruling.value,
        ruling.posterior,
        ruling.method,
        ruling.votes,
    )
