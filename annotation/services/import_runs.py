"""One run of an import: the file is read once, in blocks, each in one transaction with its checkpoint.

A worker that is killed leaves whole blocks; the next attempt passes over the lines that are in. Memory is one
block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.services import audit
from annotation.errors import ImportRefused
from annotation.intake.answers import Answers
from annotation.intake.content import response_ids
from annotation.intake.read import MOST_VALUES, TOO_MANY_VALUES, count_values, rows
from annotation.intake.records import BadRow, FileInfo, IntakeError
from annotation.intake.validate import Candidate, Mapping, candidate
from annotation.models import Import, Item, RejectedRow, SchemaVersion
from annotation.selectors import imports as reads
from annotation.selectors import schemas as schema_reads
from annotation.selectors.queue import is_anybody_labelling
from annotation.services import imports, item_blocks, labellers, schemas
from annotation.services.archive import guard_writable
from annotation.services.item_blocks import BLOCK_ROWS, Intake
from annotation.signals import import_finished, send_on_commit
from annotation.task_types.labels import lookup, resolve
from annotation.task_types.registry import needs
from annotation.task_types.values import label_id
from jobs.errors import Lost
from jobs.services.context import JobContext
from jobs.services.pacing import giving_way

BLOCK_CHARACTERS = 8_000_000
SMALL_BLOCK_ROWS = 100  # while people are at work: some 10 ms on SQLite, which has one writer
COUNTED_AT = (2_000, 20_000, 200_000, 2_000_000)  # lines
MOST_LABELS = 500
LABELLED_TYPES = ("multilabel", "spans")  # types besides a classification whose labels a file can bring
NEW_FIELD = {"name": "label", "type": "classification", "labels": []}


@dataclass
class _Block:
    """Rows that go in together. `last_line` is that of the last row read, good or bad."""

    candidates: list[Candidate] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    last_line: int = 0
    characters: int = 0
    most: int = field(default_factory=lambda: BLOCK_ROWS)

    @property
    def is_full(self) -> bool:
        return len(self.candidates) + len(self.bad) >= self.most or self.characters >= BLOCK_CHARACTERS


def run(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.import_items": its subject is the import."""
    import_run: Import | None = ctx.subject
    if import_run is None:
        return None
    if import_run.state == Import.State.DONE:
        return _counts(import_run)
    Import.objects.filter(pk=import_run.pk).update(state=Import.State.RUNNING, error="")
    info, mapping = reads.info(import_run), reads.mapping(import_run)
    assert info is not None and mapping is not None, "imports.start checks both"
    guard_writable(import_run.project)
    try:
        schema = _schema(import_run, info, mapping)
        _read(ctx, import_run, info, mapping, schema)
    except IntakeError as error:
        raise ImportRefused(error.sentence, code=f"import_{error.code}") from error
    return _finish(import_run)


def _read(
    ctx: JobContext, import_run: Import, info: FileInfo, mapping: Mapping, schema: SchemaVersion | None
) -> None:
    intake = _intake(import_run, mapping, schema)
    answers = Answers(schema.definition, response_ids(mapping)) if schema is not None else None
    newest = schema_reads.current(import_run.project)
    wanted = needs(newest.definition) if newest is not None else frozenset()
    done, size = 0, max(1, info.size)

    def on_progress(read: int, total: int) -> None:
        nonlocal done, size
        done, size = read, max(1, total)

    block, in_already = _Block(most=_rows_at_once(is_anybody_labelling())), import_run.lines_done
    with _bulk_writing():
        for row in rows(reads.path(import_run), info, on_progress=on_progress):
            if row.line <= in_already:
                continue
            found = row if isinstance(row, BadRow) else candidate(row, mapping, answers, needs=wanted)
            if isinstance(found, BadRow):
                block.bad.append(found)
            else:
                block.candidates.append(found)
                block.characters += len(found.raw) + len(found.text)
            block.last_line = row.line
            if block.is_full:
                before = import_run.lines_done
                with giving_way(in_company=is_anybody_labelling()) as way:
                    _store(ctx, import_run, intake, block)
                _count_items(before, block.last_line)
                ctx.progress(done, size, _("%(count)s lines") % {"count": f"{block.last_line:,}"})
                block = _Block(most=_rows_at_once(way.given))
        if block.last_line:
            _store(ctx, import_run, intake, block)


def _rows_at_once(in_company: bool) -> int:
    return SMALL_BLOCK_ROWS if in_company and connection.vendor == "sqlite" else BLOCK_ROWS


def _count_items(before: int, now: int) -> None:
    """Let PostgreSQL look at how the items are distributed, each time they have grown tenfold.

    Its own housekeeping does so within a minute where it is on. Until then it takes the table for empty, and
    looks for known texts by reading all items of the project, for every block: a million rows took an hour.
    """
    if connection.vendor == "postgresql" and any(before < step <= now for step in COUNTED_AT):
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(Item._meta.db_table)}")


def _intake(import_run: Import, mapping: Mapping, schema: SchemaVersion | None) -> Intake:
    common = {"project": import_run.project, "source": import_run.source, "import_run": import_run}
    if schema is None:
        return Intake(**common)
    return Intake(**common, schema=schema, labeller=labellers.importer(import_run))


@transaction.atomic
def _store(ctx: JobContext, import_run: Import, intake: Intake, block: _Block) -> None:
    """The block, its rejected rows, its counts and the checkpoint: all or nothing."""
    stored = item_blocks.store(intake, block.candidates) if block.candidates else item_blocks.Stored()
    bad = sorted((*block.bad, *stored.refused), key=lambda row: row.line)
    RejectedRow.objects.bulk_create(
        [
            RejectedRow(
                import_run=import_run,
                line=row.line,
                raw=row.raw,
                code=row.code,
                message=row.message,
                wording=row.message.to_json(),
                is_whole=row.whole,
            )
            for row in bad
        ],
        batch_size=500,
    )
    # The old checkpoint is named, so that of two attempts at the same file only one can ever add a block.
    mine = Import.objects.filter(
        pk=import_run.pk, lines_done=import_run.lines_done, state=Import.State.RUNNING
    )
    if not mine.update(
        lines_done=block.last_line,
        added=F("added") + stored.added,
        duplicates=F("duplicates") + stored.duplicates,
        labelled=F("labelled") + stored.labelled,
        rejected=F("rejected") + len(bad),
    ):
        raise Lost(f"import {import_run.uuid} is run by another attempt")
    import_run.lines_done = block.last_line


def _schema(import_run: Import, info: FileInfo, mapping: Mapping) -> SchemaVersion | None:
    """The schema to read the labels with; None if there are none to read. Labels of the file are added to it
    where that was asked for.
    """
    if not mapping.has_labels:
        return None
    current = schema_reads.current(import_run.project)
    if mapping.label is None or not import_run.mapping.get(reads.LABELS_FROM_FILE):
        return current
    definition = current.definition if current is not None else {"fields": [NEW_FIELD]}
    found = _labels_in(import_run, info, mapping.label, definition)
    field_now = definition["fields"][0]
    labels = [dict(label) for label in field_now["labels"]]
    known = lookup(field_now)
    for name in sorted(found):
        if resolve(known, name) is None:
            identity = label_id(name, {label["id"] for label in labels})
            labels.append({"id": identity, "name": name})
            known = lookup({"labels": labels})
    if current is not None and len(labels) == len(field_now["labels"]):
        return current
    if len(labels) > max(MOST_LABELS, len(field_now["labels"])):
        raise ImportRefused(
            _(
                "The column “%(column)s” has %(count)s different values, more than %(most)s: choose the "
                "column that holds the labels, or none."
            )
            % {"column": mapping.label, "count": len(found), "most": MOST_LABELS}
        )
    return schemas.publish_labels(import_run.project, labels, by=import_run.created_by)


def _labels_in(
    import_run: Import, info: FileInfo, column: str, definition: dict[str, Any]
) -> Collection[str]:
    """The labels that a column names, of a field of any type that has labels."""
    path, kind = reads.path(import_run), definition["fields"][0]["type"]
    if kind == "classification":
        return count_values(path, info, column)
    if kind not in LABELLED_TYPES:
        raise ImportRefused(
            _(
                "The first field of this project has no labels that a file could bring: leave that out, or "
                "choose another column."
            )
        )
    answers, found = Answers(definition), set[str]()
    for row in rows(path, info):
        if not isinstance(row, BadRow):
            found.update(name for name in answers.named(row.fields.get(column)) if name)
            if len(found) > MOST_VALUES:
                raise IntakeError(
                    "mapping",
                    TOO_MANY_VALUES,
                    column=repr(column),
                    most=f"{MOST_VALUES:,}",
                    line=row.line,
                )
    return found


@transaction.atomic
def _finish(import_run: Import) -> dict[str, Any]:
    mine = Import.objects.filter(pk=import_run.pk, state=Import.State.RUNNING)
    if not mine.update(state=Import.State.DONE, finished_at=timezone.now(), error=""):
        raise Lost(f"import {import_run.uuid} is run by another attempt")
    import_run.refresh_from_db()
    counts = _counts(import_run)
    audit.record(
        "import.finished",
        actor=import_run.created_by,
        scope=import_run.project.uuid,
        target=import_run,
        **counts,
    )
    send_on_commit(import_finished, Import, import_run=import_run)
    return counts


def _counts(import_run: Import) -> dict[str, int]:
    return {
        name: getattr(import_run, name)
        for name in ("lines_done", "added", "duplicates", "rejected", "labelled")
    }


def on_job_ended(import_run: Import, state: str, error: str) -> None:
    """Carry over to the import that its job was cancelled or has failed for good."""
    if state == "cancelled":
        error = _("Cancelled: what was read until then is in. Start it again to go on from there.")
    imports.fail(import_run, error)


@contextmanager
def _bulk_writing() -> Iterator[None]:
    """Let SQLite keep more pages and copy them back less often while a file goes in; a third faster at a
    million rows. Durability is as before.
    """
    if connection.vendor != "sqlite":
        yield
        return
    wanted = {"cache_size": -64_000, "wal_autocheckpoint": 16_000}
    with connection.cursor() as cursor:
        before = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
        for name, value in wanted.items():
            cursor.execute(f"PRAGMA {name}={value}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name, value in before.items():
                cursor.execute(f"PRAGMA {name}={value}")
