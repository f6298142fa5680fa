"""What goes out: every annotation, every final label, or every item, in blocks of rows.

Each block is a query of its own that begins after the last one, so an export of any size holds one block in
memory and no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet

from annotation.models import Annotation, Item, Project, Resolution, SchemaVersion
from annotation.selectors import schemas
from annotation.selectors.table_formats import Columns, Rows
from annotation.task_types import registry

BLOCK = 5000
# Columns of the items and answers themselves: a field that is called so gets "_answer" behind its name.
FIXED = frozenset(
    ["row", "item", "external_id", "text", "split", "value", "confidence", "method", "votes", "decided_at"]
    + ["duplicate_of_row", "source", "meta", "data", "annotation", "labeller", "labeller_kind", "purpose"]
    + ["is_retraction", "supersedes", "superseded_by", "prelabel", "prelabel_mode", "accepted_prelabel"]
    + ["bulk_acceptance", "active_ms", "trace", "schema_version", "guideline_version", "created_at"]
)


class _Labels:
    """The label columns of a value, read by the schema version that it was given under."""

    def __init__(self, project: Project) -> None:
        current = schemas.current(project)
        found: Columns = registry.columns(current.definition) if current else {}
        self._names = tuple(found)
        self.columns = {f"{name}_answer" if name in FIXED else name: kind for name, kind in found.items()}
        versions = SchemaVersion.objects.filter(project=project)
        self._definitions = {version.pk: version.definition for version in versions}

    def cells(self, value: dict[str, Any] | None, schema_id: int | None) -> tuple[Any, ...]:
        found = (
            registry.export(self._definitions[schema_id], value) if value and schema_id is not None else {}
        )
        return tuple(found.get(name) for name in self._names)


def resolutions(project: Project) -> tuple[Columns, Iterator[Rows]]:
    """Every item with a final label; a duplicate has that of the first item of its text."""
    labels = _Labels(project)
    return _item_columns(labels), _resolution_blocks(project, labels)


def items(project: Project) -> tuple[Columns, Iterator[Rows]]:
    """Every item by row, with its final label where it has one; deleted ones are left out."""
    labels = _Labels(project)
    return _item_columns(labels), _item_blocks(project, labels)


def annotations(project: Project) -> tuple[Columns, Iterator[Rows]]:
    """Every answer that was ever given, in the order they came, superseded ones and retractions too."""
    labels = _Labels(project)
    columns: Columns = {
        "annotation": "text",
        "item": "text",
        "row": "integer",
        "external_id": "text",
        "text": "text",
        "split": "text",
        **labels.columns,
        "value": "json",
        "labeller": "text",
        "labeller_kind": "text",
        "purpose": "text",
        "is_retraction": "flag",
        "supersedes": "text",
        "superseded_by": "text",
        "prelabel": "json",
        "prelabel_mode": "text",
        "accepted_prelabel": "flag",
        "bulk_acceptance": "text",
        "active_ms": "integer",
        "trace": "json",
        "schema_version": "integer",
        "guideline_version": "integer",
        "created_at": "time",
    }
    return columns, _annotation_blocks(project, labels)


WHATS: dict[str, Callable[[Project], tuple[Columns, Iterator[Rows]]]] = {
    "resolutions": resolutions,
    "annotations": annotations,
    "items": items,
}
TRAINING = "training"  # beside them: training_rows, which takes a field, a split and a form

_ITEM_FIELDS = (
    *("pk", "duplicate_of_id", "row", "uuid", "external_id", "text", "split"),
    *("duplicate_of__row", "source__name", "meta", "data"),
)
_DECIDED_FIELDS = ("item_id", "value", "schema_version_id", "posterior", "method", "votes", "created_at")


def _item_columns(labels: _Labels) -> Columns:
    return {
        "row": "integer",
        "item": "text",
        "external_id": "text",
        "text": "text",
        "split": "text",
        **labels.columns,
        "value": "json",
        "confidence": "number",
        "method": "text",
        "votes": "integer",
        "decided_at": "time",
        "duplicate_of_row": "integer",
        "source": "text",
        "meta": "json",
        "data": "json",
    }


def _item_row(labels: _Labels, item: tuple[Any, ...], decided: dict[int, tuple[Any, ...]]) -> tuple[Any, ...]:
    pk, first, row, uuid, external_id, text, split, first_row, source, meta, data = item
    value, schema_id, posterior, method, votes, created_at = decided.get(first or pk, (None,) * 6)
    confidence = _confidence(posterior)
    return (
        *(row, str(uuid), external_id, text, split),
        *labels.cells(value, schema_id),
        *(value, confidence, method, votes, created_at, first_row, source, meta, data or None),
    )


def _confidence(posterior: dict[str, dict[str, float]] | None) -> float | None:
    """The belief in the answer to the first field; None where its type has none."""
    first = next(iter((posterior or {}).values()), {})
    return max(first.values(), default=None)


def _resolution_blocks(project: Project, labels: _Labels) -> Iterator[Rows]:
    current = Resolution.objects.filter(project=project, is_current=True)
    for block in blocks(current, "pk", _DECIDED_FIELDS):
        decided = {item_id: rest for _pk, item_id, *rest in block}
        alive = Item.objects.exclude(held_back=Item.DELETED)
        firsts = alive.filter(pk__in=decided).values_list(*_ITEM_FIELDS)
        twins = alive.filter(duplicate_of__in=list(decided)).values_list(*_ITEM_FIELDS)
        found = sorted((*firsts, *twins), key=lambda item: item[2])
        yield [_item_row(labels, item, decided) for item in found]


def _item_blocks(project: Project, labels: _Labels) -> Iterator[Rows]:
    alive = Item.objects.filter(project=project).exclude(held_back=Item.DELETED)
    for block in blocks(alive, "row", _ITEM_FIELDS):
        wanted = {item[2] or item[1] for item in block}
        current = Resolution.objects.filter(item_id__in=wanted, is_current=True)
        decided = {item_id: rest for item_id, *rest in current.values_list(*_DECIDED_FIELDS)}
        yield [_item_row(labels, item[1:], decided) for item in block]


_ANNOTATION_FIELDS = (
    *("uuid", "item__uuid", "item__row", "item__external_id", "item__text", "item__split"),
    *("value", "schema_version_id", "labeller__name", "labeller__kind", "slot__purpose", "is_retraction"),
    *("supersedes__uuid", "superseded_by__uuid", "prelabel__value", "prelabel_mode", "accepted_prelabel"),
    *(
        "bulk_acceptance__uuid",
        "active_ms",
        "trace",
        "schema_version__number",
        "guideline_version__number",
        "created_at",
    ),
)


def _annotation_blocks(project: Project, labels: _Labels) -> Iterator[Rows]:
    for block in blocks(Annotation.objects.filter(project=project), "pk", _ANNOTATION_FIELDS):
        yield [_annotation_row(labels, *row[1:]) for row in block]


def _annotation_row(
    labels: _Labels, uuid: Any, item: Any, row: int, external_id: str, text: str, split: str, value: Any,
    schema_id: int, labeller: str, kind: str, purpose: str | None, is_retraction: bool, supersedes: Any,
    superseded_by: Any, prelabel: dict[str, Any] | None, mode: str, accepted: bool, bulk: Any, *rest: Any,
) -> tuple[Any, ...]:  # fmt: skip
    return (
        *(str(uuid), str(item), row, external_id, text, split),
        *labels.cells(value, schema_id),
        *(value or None, labeller, kind, purpose, is_retraction),
        *(str(supersedes) if supersedes else None, str(superseded_by) if superseded_by else None),
        *(prelabel, mode, accepted, str(bulk) if bulk else None, *rest),
    )


def blocks(found: QuerySet[Any], key: str, fields: tuple[str, ...]) -> Iterator[list[tuple[Any, ...]]]:
    """Blocks of (key, *fields) in the order of the unique column `key`."""
    last: Any = None
    while True:
        rest = found if last is None else found.filter(**{f"{key}__gt": last})
        block = list(rest.order_by(key).values_list(key, *fields)[:BLOCK])
        if not block:
            return
        yield block
        last = block[-1][0]
