"""Writing items a block at a time: rows, duplicates, splits and imported labels of one block in one
transaction.

A million rows are common, so nothing here makes a model instance a row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from annotation.intake.normalise import NORMALISER_VERSION
from annotation.intake.split import assign_splits
from annotation.intake.validate import BadRow, Candidate
from annotation.models import Import, Item, Labeller, Project, SchemaVersion, Source
from annotation.services import item_labels
from annotation.services.bulk_rows import insert, take_ids, uuids

BLOCK_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What all blocks of one import share. With a schema and a labeller, the candidates' labels are stored
    too.

    `is_repeatable`: a text that came before from the same source under the same external id is the same item
    sent again, and not a duplicate of it.
    """

    project: Project
    source: Source
    import_run: Import | None = None
    schema: SchemaVersion | None = None
    labeller: Labeller | None = None
    is_repeatable: bool = False


@dataclass(kw_only=True)
class Stored:
    """What came of a block. For a repeatable intake `item_ids` has an entry a candidate, None where it was
    refused.
    """

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


@dataclass(kw_only=True)
class _Layout:
    """(row, candidate) of new texts and of duplicates; and, by id(candidate), where its item is: (pk, None)
    for one that was sent before, else (None, row).
    """

    firsts: list[tuple[int, Candidate]] = field(default_factory=list)
    repeats: list[tuple[int, Candidate]] = field(default_factory=list)
    places: dict[int, tuple[int | None, int]] = field(default_factory=dict)
    unchanged: int = 0


@transaction.atomic
def store(intake: Intake, candidates: Sequence[Candidate]) -> Stored:
    """Add a block of candidates to the project; all or nothing.

    Rows are dense and in the order of the block, and ids rise with them. A text that is there already becomes
    a duplicate: it points to the first item of its text and takes over its split; its label goes to that first
    item. A second, different label for one text from the same labeller is refused (code "label_conflict").
    """
    # Rows are given out here, so two blocks of a project follow one another (SQLite has one writer anyway).
    Project.objects.select_for_update(no_key=True).only("pk").get(pk=intake.project.pk)
    homes = _known(intake.project, candidates)
    in_already = {content_hash: home.pk for content_hash, home in homes.items() if home.pk is not None}
    before = item_labels.given(intake, candidates, in_already)
    stored = Stored()
    first_row = _next_row(intake.project)
    kept, stored.refused = item_labels.without_conflicts(candidates, before)
    layout = _laid_out(kept, homes, _sent_before(intake, kept, homes), first_row, intake.is_repeatable)
    homes |= _new_homes(intake.project, layout.firsts)
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    count = len(layout.firsts) + len(layout.repeats)
    ids = dict(enumerate(take_ids(Item, count), first_row))
    _insert_items(intake, layout.firsts, homes, ids, now)
    if layout.repeats:
        _insert_items(intake, layout.repeats, homes, ids, now, duplicates=True)
    has_labels = intake.labeller is not None and any(c.value is not None for c in kept)
    stored.added, stored.duplicates = len(layout.firsts), len(layout.repeats)
    stored.unchanged = layout.unchanged
    if has_labels:
        fresh: dict[int, Candidate] = {}
        for c in kept:
            if c.value is not None and c.content_hash not in before:
                fresh.setdefault(_pk(homes[c.content_hash], ids), c)
        stored.labelled = item_labels.store(intake, fresh, set(in_already.values()), now)
    if intake.is_repeatable:
        places = [layout.places.get(id(candidate)) for candidate in candidates]
        stored.item_ids = [place and (place[0] or ids[place[1]]) for place in places]
    return stored


def _known(project: Project, candidates: Sequence[Candidate]) -> dict[str, _Home]:
    """The first items of the texts that the project holds already, by content hash."""
    # In plain SQL: building the query for two thousand hashes costs the ORM more than the database takes to
    # answer it.
    hashes = list({candidate.content_hash for candidate in candidates})
    columns = ("content_hash", "row", "cluster", "split", "id")
    marks = ", ".join(["%s"] * len(hashes))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(map(connection.ops.quote_name, columns))} FROM {Item._meta.db_table} "
            f"WHERE project_id = %s AND duplicate_of_id IS NULL AND content_hash IN ({marks})",
            [project.pk, *hashes],
        )
        return {content_hash: _Home(*rest) for content_hash, *rest in cursor.fetchall()}


def _sent_before(
    intake: Intake, kept: Sequence[Candidate], homes: Mapping[str, _Home]
) -> dict[tuple[str, str], int]:
    """The items that these candidates gave when they were sent earlier, by content hash and external id."""
    wanted = {
        c.content_hash: homes[c.content_hash].pk for c in kept if c.external_id and c.content_hash in homes
    }
    if not intake.is_repeatable or not wanted:
        return {}
    same_text = Q(pk__in=wanted.values()) | Q(duplicate_of__in=wanted.values())
    found = Item.objects.filter(same_text, source=intake.source).exclude(external_id="")
    return {
        (content_hash, external): pk
        for content_hash, external, pk in found.values_list("content_hash", "external_id", "pk")
    }


def _laid_out(
    kept: Sequence[Candidate],
    homes: Mapping[str, _Home],
    sent: Mapping[tuple[str, str], int],
    first_row: int,
    is_repeatable: bool,
) -> _Layout:
    """Give each candidate its row; one that was sent before (`sent`, or earlier in the block) gets none."""
    layout, row = _Layout(), first_row
    new: set[str] = set()
    seen: dict[tuple[str, str], tuple[int | None, int]] = {key: (pk, -1) for key, pk in sent.items()}
    for candidate in kept:
        place = None
        if is_repeatable and candidate.external_id:
            place = seen.setdefault((candidate.content_hash, candidate.external_id), (None, row))
        if place is not None and place != (None, row):
            layout.unchanged += 1
            layout.places[id(candidate)] = place
            continue
        if candidate.content_hash in homes or candidate.content_hash in new:
            layout.repeats.append((row, candidate))
        else:
            new.add(candidate.content_hash)
            layout.firsts.append((row, candidate))
        layout.places[id(candidate)] = (None, row)
        row += 1
    return layout


def _new_homes(project: Project, firsts: Sequence[tuple[int, Candidate]]) -> dict[str, _Home]:
    """A new text is a cluster of its own. Its split is that of the items with the same prompt, else the file's,
    else the drawn one.
    """
    prompts = [candidate.prompt for _row, candidate in firsts]
    drawn = assign_splits(prompts, project.seed, project.validation_share, project.test_share)
    given = _splits_of(project, [candidate for _row, candidate in firsts])
    return {
        candidate.content_hash: _Home(
            row, row, given.setdefault(candidate.prompt, candidate.split or split), None
        )
        for (row, candidate), split in zip(firsts, drawn, strict=True)
    }


def _splits_of(project: Project, candidates: Sequence[Candidate]) -> dict[str, str]:
    """The splits of the prompts that the project holds already, by their hash."""
    asked = list({candidate.prompt for candidate in candidates})
    texts = list({candidate.prompt for candidate in candidates if candidate.prompt != candidate.content_hash})
    found: dict[str, str] = {}
    with connection.cursor() as cursor:
        for column, hashes, condition in (
            ("prompt", asked, "prompt > ''"),  # as the partial index has it
            ("content_hash", texts, "duplicate_of_id IS NULL"),
        ):
            if hashes:
                cursor.execute(
                    f"SELECT {column}, split FROM {Item._meta.db_table} WHERE project_id = %s "
                    f"AND {condition} AND {column} IN ({', '.join(['%s'] * len(hashes))})",
                    [project.pk, *hashes],
                )
                found |= dict(cursor.fetchall())
    return found


def _next_row(project: Project) -> int:
    last = Item.objects.filter(project=project).order_by("-row").values_list("row", flat=True).first()
    return 0 if last is None else last + 1


def _pk(home: _Home, ids: Mapping[int, int]) -> int:
    return ids[home.row] if home.pk is None else home.pk


ITEM_COLUMNS = (
    *("id", "uuid", "row", "text", "normalised", "content_hash", "duplicate_of"),
    *("cluster", "split", "held_back", "external_id", "prompt", "meta", "data"),
)


def _insert_items(
    intake: Intake,
    placed: Sequence[tuple[int, Candidate]],
    homes: Mapping[str, _Home],
    ids: Mapping[int, int],
    now: Any,
    *,
    duplicates: bool = False,
) -> None:
    """Write the items under their `ids` (by row): the first of their texts, or `duplicates` of such."""
    rows = []
    for uuid, (row, candidate) in zip(uuids(len(placed)), placed, strict=True):
        home = homes[candidate.content_hash]
        first = _pk(home, ids) if duplicates else None
        rows.append((ids[row], *_item(uuid, row, candidate, home, first)))
    insert(
        Item,
        ITEM_COLUMNS,
        rows,
        project=intake.project.pk,
        source=intake.source.pk,
        import_run=intake.import_run.pk if intake.import_run else None,
        normaliser_version=NORMALISER_VERSION,
        created_at=now,
    )


def _item(
    uuid: str, row: int, candidate: Candidate, home: _Home, duplicate_of: int | None
) -> tuple[Any, ...]:
    """The cells of `ITEM_COLUMNS` behind the id."""
    held_back = ""
    if candidate.split is not None and candidate.split != home.split:
        same = "prompt" if duplicate_of is None else "text"
        held_back = f"the file puts it in {candidate.split}, the same {same} is in {home.split} already"
    return (
        uuid,
        row,
        candidate.text,
        candidate.normalised,
        candidate.content_hash,
        duplicate_of,
        home.cluster,
        home.split,
        held_back,
        candidate.external_id or "",
        "" if candidate.prompt == candidate.content_hash else candidate.prompt,
        json.dumps(candidate.meta, ensure_ascii=False) if candidate.meta else "{}",
        json.dumps(candidate.data, ensure_ascii=False) if candidate.data else "{}",
    )
