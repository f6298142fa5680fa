"""Writing items a block at a time: rows, duplicates, splits and imported labels of one block in one transaction.

Rows go in by plain `executemany`: a million model instances would cost more than all other stations together.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation.intake.normalise import NORMALISER_VERSION
from annotation.intake.split import assign_splits
from annotation.intake.validate import BadRow, Candidate, refuse
from annotation.models import Annotation, Import, Item, Labeller, Project, Resolution, SchemaVersion, Source

BLOCK_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What all blocks of one import share. With a schema and a labeller, the candidates' labels are stored too.

    `is_repeatable`: a text that came before from the same source under the same external id is the same item sent
    again, and not a duplicate of it.
    """

    project: Project
    source: Source
    import_run: Import | None = None
    schema: SchemaVersion | None = None
    field_name: str = "label"
    labeller: Labeller | None = None
    is_repeatable: bool = False


@dataclass(kw_only=True)
class Stored:
    """What came of a block. `item_ids` has an entry a candidate, None where it was refused."""

    item_ids: list[int | None] = field(default_factory=list)
    refused: list[BadRow] = field(default_factory=list)
    added: int = 0  # items with a text that is new to the project
    duplicates: int = 0
    unchanged: int = 0
    labelled: int = 0


class _Home(NamedTuple):
    """The first item of a text."""

    row: int
    cluster: int
    split: str
    pk: int | None
    again: str = ""  # external id, if from the same source


@transaction.atomic
def store(intake: Intake, candidates: Sequence[Candidate]) -> Stored:
    """Add a block of candidates to the project; all or nothing.

    Rows are dense and in the order of the block. A text that is there already becomes a duplicate: it points to the
    first item of its text and takes over its split; its label goes to that first item. A second, different label for
    one text from the same labeller is refused (code "label_conflict").
    """
    # Rows are given out here, so two blocks of a project follow one another (SQLite has one writer anyway).
    Project.objects.select_for_update().only("pk").get(pk=intake.project.pk)
    homes = _known(intake, candidates)
    stored, labels = Stored(), _labels_given(intake, candidates, homes)
    first_row = _next_row(intake.project)
    kept = _without_conflicts(candidates, labels, stored)
    firsts, repeats = _laid_out(intake, kept, homes, first_row, stored)
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    own_split = _splits(intake.project, firsts)
    for row, candidate in firsts:
        homes[candidate.content_hash] = _Home(row, row, own_split[candidate.content_hash], None)
    _insert(Item, ITEM_COLUMNS, (_item(intake, row, c, homes[c.content_hash], None, now) for row, c in firsts))
    ids = _ids(intake.project, first_row)
    _insert(
        Item,
        ITEM_COLUMNS,
        (
            _item(intake, row, c, homes[c.content_hash], _pk(homes[c.content_hash], ids), now)
            for row, c in repeats
        ),
    )
    if repeats:
        ids |= _ids(intake.project, first_row)
    stored.added, stored.duplicates = len(firsts), len(repeats)
    rows = {id(candidate): row for row, candidate in (*firsts, *repeats)}
    stored.item_ids = [
        ids[rows[id(c)]] if id(c) in rows else (_pk(homes[c.content_hash], ids) if keep else None)
        for c, keep in zip(candidates, _flags(candidates, kept), strict=True)
    ]
    if intake.labeller is not None and intake.schema is not None:
        stored.labelled = _label(intake, kept, homes, ids, labels, now)
    return stored


def _known(intake: Intake, candidates: Sequence[Candidate]) -> dict[str, _Home]:
    """The first items of the texts that the project holds already, by content hash."""
    hashes = list({candidate.content_hash for candidate in candidates})
    found = Item.objects.filter(project=intake.project, duplicate_of=None, content_hash__in=hashes)
    columns = ("content_hash", "row", "cluster", "split", "pk", "external_id", "source_id")
    return {
        content_hash: _Home(row, cluster, split, pk, external if source_id == intake.source.pk else "")
        for content_hash, row, cluster, split, pk, external, source_id in found.values_list(*columns)
    }


def _labels_given(
    intake: Intake, candidates: Sequence[Candidate], homes: Mapping[str, _Home]
) -> dict[str, str]:
    """The labels that this labeller has given to texts of this block before, by content hash."""
    labelled = {c.content_hash for c in candidates if c.label is not None} & homes.keys()
    if intake.labeller is None or not labelled:
        return {}
    hashes = {homes[content_hash].pk: content_hash for content_hash in labelled}
    earlier = Annotation.objects.filter(labeller=intake.labeller, item_id__in=list(hashes)).order_by("pk")
    return {
        hashes[item_id]: value.get(intake.field_name, "")
        for item_id, value in earlier.values_list("item_id", "value")
    }


def _without_conflicts(
    candidates: Sequence[Candidate], labels: Mapping[str, str], stored: Stored
) -> list[Candidate]:
    said, kept = dict(labels), []
    for candidate in candidates:
        if candidate.label is not None:
            earlier = said.setdefault(candidate.content_hash, candidate.label)
            if earlier != candidate.label:
                message = _(
                    "line %(line)s gives the label “%(label)s” to a text that has the label “%(earlier)s” in an "
                    "earlier line: decide for one of them"
                ) % {"line": candidate.line, "label": candidate.label, "earlier": earlier}
                stored.refused.append(refuse(candidate, "label_conflict", message))
                continue
        kept.append(candidate)
    return kept


def _laid_out(
    intake: Intake, kept: Sequence[Candidate], homes: Mapping[str, _Home], first_row: int, stored: Stored
) -> tuple[list[tuple[int, Candidate]], list[tuple[int, Candidate]]]:
    """(row, candidate) of the new texts, and of the duplicates."""
    firsts: list[tuple[int, Candidate]] = []
    repeats: list[tuple[int, Candidate]] = []
    new: dict[str, Candidate] = {}
    row = first_row
    for candidate in kept:
        home, first = homes.get(candidate.content_hash), new.get(candidate.content_hash)
        again = home.again if home else (first.external_id if first else None)
        if intake.is_repeatable and candidate.external_id and again == candidate.external_id:
            stored.unchanged += 1
            continue
        if home is None and first is None:
            new[candidate.content_hash] = candidate
            firsts.append((row, candidate))
        else:
            repeats.append((row, candidate))
        row += 1
    return firsts, repeats


def _splits(project: Project, firsts: Sequence[tuple[int, Candidate]]) -> dict[str, str]:
    hashes = [candidate.content_hash for _row, candidate in firsts]
    drawn = assign_splits(hashes, project.seed, project.validation_share, project.test_share)
    return {c.content_hash: c.split or split for (_row, c), split in zip(firsts, drawn, strict=True)}


def _next_row(project: Project) -> int:
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    return 0 if last is None else last + 1


def _ids(project: Project, first_row: int) -> dict[int, int]:
    return dict(Item.objects.filter(project=project, row__gte=first_row).values_list("row", "pk"))


def _pk(home: _Home, ids: Mapping[int, int]) -> int:
    return ids[home.row] if home.pk is None else home.pk


def _flags(candidates: Sequence[Candidate], kept: Sequence[Candidate]) -> list[bool]:
    known = {id(candidate) for candidate in kept}
    return [id(candidate) in known for candidate in candidates]


ITEM_COLUMNS = (
    *("uuid", "project", "row", "text", "normalised", "content_hash", "normaliser_version", "duplicate_of"),
    *("cluster", "split", "held_back", "external_id", "meta", "source", "import_run", "created_at"),
)


def _item(
    intake: Intake, row: int, candidate: Candidate, home: _Home, duplicate_of: int | None, now: Any
) -> tuple[Any, ...]:
    held_back = ""
    if candidate.split is not None and candidate.split != home.split:
        held_back = f"the file puts it in {candidate.split}, the same text is in {home.split} already"
    return (
        _uuid(),
        intake.project.pk,
        row,
        candidate.text,
        candidate.normalised,
        candidate.content_hash,
        NORMALISER_VERSION,
        duplicate_of,
        home.cluster,
        home.split,
        held_back,
        candidate.external_id or "",
        json.dumps(candidate.meta, ensure_ascii=False) if candidate.meta else "{}",
        intake.source.pk,
        intake.import_run.pk if intake.import_run else None,
        now,
    )


def _label(
    intake: Intake,
    kept: Sequence[Candidate],
    homes: Mapping[str, _Home],
    ids: Mapping[int, int],
    before: Mapping[str, str],
    now: Any,
) -> int:
    """Store the candidates' labels as annotations, and as resolutions where nobody has looked at the item yet."""
    assert intake.labeller is not None and intake.schema is not None
    fresh: dict[int, Candidate] = {}
    for candidate in kept:
        if candidate.label is not None and candidate.content_hash not in before:
            fresh.setdefault(_pk(homes[candidate.content_hash], ids), candidate)
    known = [pk for pk, candidate in fresh.items() if homes[candidate.content_hash].pk is not None]
    looked_at = _looked_at(known)
    prefix = "line" if intake.import_run else f"item-{time.time_ns():x}"
    project, labeller, schema = intake.project.pk, intake.labeller.pk, intake.schema.pk
    values = {pk: json.dumps({intake.field_name: c.label}, ensure_ascii=False) for pk, c in fresh.items()}
    _insert(
        Annotation,
        ("uuid", "project", "item", "labeller", "schema_version", "value", "client_key", "created_at"),
        (
            (_uuid(), project, pk, labeller, schema, values[pk], f"{prefix}-{candidate.line}", now)
            for pk, candidate in fresh.items()
        ),
    )
    _insert(
        Resolution,
        ("project", "item", "value", "posterior", "method", "schema_version", "decided_by", "created_at"),
        (
            (project, pk, values[pk], json.dumps({c.label: 1.0}), Resolution.Method.IMPORT.value, schema, labeller, now)
            for pk, c in fresh.items()
            if pk not in looked_at
        ),
    )
    return len(fresh)


def _looked_at(item_ids: Sequence[int]) -> set[int]:
    """Those of the items that have a label or a person's look already: there a person's word stands."""
    if not item_ids:
        return set()
    resolved = Resolution.objects.filter(item_id__in=item_ids, is_current=True).values_list("item_id", flat=True)
    seen = Annotation.objects.filter(item_id__in=item_ids, slot__isnull=False).values_list("item_id", flat=True)
    return {*resolved, *seen}


def _uuid() -> str:
    """A version 7 UUID in hex: 48 bits of time, then random ones, so that new rows stand at the end of their index.

    With random ones an import of a million rows touches every page of it (a quarter of the whole time).
    """
    stamp = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    return f"{stamp:012x}7{random >> 68:03x}{8 | (random >> 66 & 3):x}{random & (1 << 60) - 1:015x}"


def _insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of database-ready values; columns that are not named get their field's default."""
    fields = {f.name: f for f in model._meta.concrete_fields if not f.primary_key}
    others = {name: f.get_db_prep_save(f.get_default(), connection) for name, f in fields.items() if name not in names}
    quoted = ", ".join(connection.ops.quote_name(fields[name].column) for name in (*names, *others))
    marks = ", ".join(["%s"] * (len(names) + len(others)))
    rest = tuple(others.values())
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({quoted}) VALUES ({marks})",
            [(*row, *rest) for row in rows],
        )
