"""Final labels, recomputed from the facts each time; never counted up.

A reviewer's word beats votes, votes beat a suggestion that was accepted in bulk, that beats an imported label,
and a tie is nobody's word: it waits for a reviewer. Where the project's overlap is adaptive, votes are weighed
by how right people are; a tie then waits for another look as long as the item may get one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from accounts.selectors.prepared import given, insert, prepared
from annotation.models import Annotation, Item, Labeller, Project, Resolution, SchemaVersion, Slot
from annotation.selectors import consensus, schemas
from annotation.services import disputes
from annotation.signals import resolution_changed, send_on_commit
from annotation.task_types import registry

_METHOD = Resolution.Method
DRIFT = 0.01


class Resolved(NamedTuple):
    """Ids of items whose label changed, and of those that another look may settle (adaptive overlap)."""

    changed: list[int]
    unsure: list[int]


@dataclass(frozen=True)
class _Ruling:
    value: dict[str, Any]
    posterior: dict[str, dict[str, float]]
    method: str
    votes: int
    decided_by_id: int | None


class _Verdict(NamedTuple):
    ruling: _Ruling | None
    is_tied: bool = False  # for a reviewer
    is_unsure: bool = False  # for another look


@transaction.atomic
def resolve(project: Project, item_ids: Iterable[int]) -> list[int]:
    """Bring the final labels of these items up to date; the ids whose label changed.

    An item whose labellers are tied has no final label and gets an open dispute. Cost: a fixed number of
    queries, however many items.
    """
    locked = Item.objects.select_for_update(of=("self",), no_key=True)
    items = list(locked.filter(pk__in=set(item_ids)).order_by("pk"))
    return resolve_locked(project, items, schemas.require(project)).changed


def resolve_locked(project: Project, items: Sequence[Item], schema: SchemaVersion) -> Resolved:
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
    rule = _rules(project, schema, facts)
    rulings = {pk: rule(facts[pk]) for pk in ids}
    changed = [pk for pk in ids if not _same(current.get(pk), rulings[pk].ruling)]
    stale = [pk for pk in changed if pk in current]
    if stale:
        Resolution.objects.filter(item_id__in=stale, is_current=True).update(is_current=False)
    fresh = [
        _row(project, schema, pk, ruling) for pk in changed if (ruling := rulings[pk].ruling) is not None
    ]
    if len(fresh) == 1:
        insert(fresh[0])
    else:
        Resolution.objects.bulk_create(fresh)
    disputes.withdraw(pk for pk in ids if not rulings[pk].is_tied)
    for item in items:
        if rulings[item.pk].is_tied:
            disputes.open_for(item)
    if changed:
        send_on_commit(resolution_changed, Resolution, project_id=project.pk, item_ids=changed)
    return Resolved(changed, [pk for pk in ids if rulings[pk].is_unsure])


def _rules(
    project: Project, schema: SchemaVersion, facts: Mapping[int, Sequence[Annotation]]
) -> Callable[[Sequence[Annotation]], _Verdict]:
    """How one item's standing annotations are ruled on in this project."""
    definition = schema.definition
    if not project.is_adaptive:
        return lambda own: _rule(own, definition, lambda looks: _by_votes(looks, definition))
    labellers = {fact.labeller_id for own in facts.values() for fact in own if fact.slot_id is not None}
    models = consensus.models(project, definition, labellers)
    return lambda own: _rule(own, definition, lambda looks: _by_belief(looks, definition, models, project))


def _standing(item_ids: Sequence[Any]) -> QuerySet[Annotation]:
    standing = Annotation.objects.filter(
        item__pk__in=item_ids, superseded_by__isnull=True, is_retraction=False
    )
    deciding = standing.exclude(slot__purpose__in=Slot.MEASURING)
    read = ("item", "slot", "value", "bulk_acceptance", "labeller__kind")
    return deciding.select_related("labeller").only(*read).order_by("pk")


def _current(item_ids: Sequence[Any]) -> QuerySet[Resolution]:
    current = Resolution.objects.filter(item__pk__in=item_ids, is_current=True)
    return current.only("item", "value", "posterior", "method", "votes")


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


def _rule(
    facts: Sequence[Annotation],
    definition: Mapping[str, Any],
    by_looks: Callable[[Sequence[Annotation]], _Verdict],
) -> _Verdict:
    """The verdict on one item's standing annotations, oldest first."""
    known = {field["name"] for field in definition["fields"]}
    facts = [fact for fact in facts if known & fact.value.keys()]
    reviewed = [f for f in facts if f.slot_id is None and f.labeller.kind == Labeller.Kind.PERSON]
    looks = [f for f in facts if f.slot_id is not None]
    bulk = [f for f in facts if f.bulk_acceptance_id is not None]
    imported = [f for f in facts if f.labeller.kind == Labeller.Kind.IMPORT]
    if reviewed:
        return _Verdict(_one(reviewed[-1], definition, _METHOD.REVIEW))
    if looks:
        return by_looks(looks)
    if bulk:
        return _Verdict(_one(bulk[-1], definition, _METHOD.BULK))
    if imported:
        return _Verdict(_one(imported[-1], definition, _METHOD.IMPORT))
    return _Verdict(None)


def _by_votes(looks: Sequence[Annotation], definition: Mapping[str, Any]) -> _Verdict:
    if len(looks) == 1:
        return _Verdict(_one(looks[0], definition, _METHOD.SINGLE))
    combined = registry.combine(definition, [look.value for look in looks])
    if combined.answer is None:
        return _Verdict(None, is_tied=True)
    return _Verdict(_Ruling(combined.answer, combined.posterior, _METHOD.MAJORITY, len(looks), None))


def _by_belief(
    looks: Sequence[Annotation], definition: Mapping[str, Any], models: consensus.Models, project: Project
) -> _Verdict:
    """By the posterior of the categorical fields. As long as the item may get another look and that may settle
    it, nobody else needs to decide."""
    if not models:
        return _by_votes(looks, definition)
    found = consensus.consensus(definition, [(look.labeller_id, look.value) for look in looks], models)
    is_unsure = found.certainty < project.target_certainty and len(looks) < project.maximum_looks
    if found.combined.answer is None:
        return _Verdict(None, is_tied=not is_unsure, is_unsure=is_unsure)
    votes = len(looks)
    answer = found.combined.answer
    return _Verdict(
        _Ruling(answer, found.combined.posterior, _METHOD.POSTERIOR, votes, None), False, is_unsure
    )


def _one(fact: Annotation, definition: Mapping[str, Any], method: str) -> _Ruling:
    posterior: dict[str, dict[str, float]] = registry.combine(definition, [fact.value]).posterior
    return _Ruling(fact.value, posterior, method, 1, fact.labeller_id)


def _same(row: Resolution | None, ruling: _Ruling | None) -> bool:
    """Whether nothing needs to be written. A belief that only moved a little with a new fit is the same."""
    if row is None or ruling is None:
        return row is None and ruling is None
    if (row.value, row.method, row.votes) != (ruling.value, ruling.method, ruling.votes):
        return False
    if ruling.method == _METHOD.POSTERIOR:
        return _distance(row.posterior, ruling.posterior) <= DRIFT
    return bool(row.posterior == ruling.posterior)


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """The largest difference between two posteriors, by field and label."""
    pairs = {(name, label) for both in (one, other) for name, shares in both.items() for label in shares}
    return max(
        (abs(one.get(n, {}).get(la, 0.0) - other.get(n, {}).get(la, 0.0)) for n, la in pairs), default=0.0
    )
