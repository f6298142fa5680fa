"""Imports: their files, their columns, their rejected rows, the jobs that run them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, QuerySet

from accounts.wording import said
from annotation.intake.guess import guess_mapping
from annotation.intake.read import bad_rows_file, bad_rows_suffix
from annotation.intake.records import BadRow, FileInfo
from annotation.intake.validate import Mapping
from annotation.models import Import, Project, RejectedRow
from annotation.selectors import schemas
from annotation.selectors.csv_cells import csv_line
from jobs.models import Job

KIND = "annotation.import_items"
LABELS_FROM_FILE = "labels_from_file"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the mapping page shows before anything is imported."""

    info: FileInfo
    mapping: Mapping
    same_file: Import | None  # an earlier import of the very same bytes


def recent(project: Project) -> QuerySet[Import]:
    return project.imports.select_related("created_by").order_by("-created_at", "-pk")


def path(import_run: Import) -> Path:
    """Where the uploaded file lies."""
    return Path(settings.DATA_DIR) / import_run.file_path


def info(import_run: Import) -> FileInfo | None:
    """What was found out about the file; None if it could not be read yet (an unknown encoding)."""
    return FileInfo.from_json(import_run.file_info) if import_run.file_info.get("columns") else None


def mapping(import_run: Import) -> Mapping | None:
    """The columns as they were chosen; None if they were not yet."""
    stored = {key: value for key, value in import_run.mapping.items() if key != LABELS_FROM_FILE}
    return Mapping.from_json(stored) if stored else None


def preview(import_run: Import) -> Preview | None:
    """None while the file cannot be read; see `Import.error`."""
    found = info(import_run)
    if found is None:
        return None
    twin = (
        import_run.project.imports.filter(sha256=import_run.sha256, state=Import.State.DONE)
        .exclude(pk=import_run.pk)
        .first()
    )
    schema = schemas.current(import_run.project)
    asked = {one["type"] for one in schema.definition["fields"]} if schema else None
    chosen = mapping(import_run) or _mapping_mended(import_run, found) or guess_mapping(found, asked)
    return Preview(info=found, mapping=chosen, same_file=twin)


def _mapping_mended(import_run: Import, found: FileInfo) -> Mapping | None:
    """The columns that were chosen for the file whose rejected rows this one brings back, if it has them all."""
    before = mapping(import_run.mends) if import_run.mends is not None else None
    if before is None:
        return None
    single = (before.text, before.label, before.external_id, before.split, before.value)
    named = {column for column in (*single, *before.meta, *before.content_columns) if column}
    return before if named <= set(found.columns) else None


def job(import_run: Import) -> Job | None:
    """The newest job of this import."""
    return (
        Job.objects.filter(
            subject_type=ContentType.objects.get_for_model(Import), subject_id=str(import_run.pk), kind=KIND
        )
        .order_by("-pk")
        .first()
    )


def rejected(import_run: Import) -> QuerySet[RejectedRow]:
    return import_run.rejected_rows.order_by("line", "pk")


def rejected_by_code(import_run: Import) -> Counter[str]:
    """How many rows were turned away for each reason."""
    rows = import_run.rejected_rows.order_by().values_list("code").annotate(count=Count("pk"))
    return Counter(dict(rows))


def rejected_report(import_run: Import) -> Iterator[str]:
    """All rejected rows as CSV: line, reason in a word and in a sentence, the row as it stood in the file."""
    yield "\ufeff" + csv_line(
        ["line", "code", "reason", "row"]
    )  # the mark lets spreadsheets know it is UTF-8
    for row in rejected(import_run).iterator(2000):
        yield csv_line([row.line, row.code, said(row.reason), row.raw])


def mend_file(import_run: Import) -> Iterator[str]:
    """The rejected rows in the form of the original file, header and all: to be mended and imported again.

    Rows that were not kept whole (a giant cell, undecodable bytes) are only in the report.
    """
    found = info(import_run)
    assert found is not None, "an import with rejected rows has been read"
    rows = rejected(import_run).iterator(2000)
    return bad_rows_file(found, (BadRow(r.line, r.raw, r.code, r.reason, r.is_whole) for r in rows))


def mend_file_name(import_run: Import) -> str:
    found = info(import_run)
    assert found is not None
    stem = import_run.file_name.removesuffix(".gz").rsplit(".", 1)[0]
    return f"{stem}-rejected{bad_rows_suffix(found)}"


def can_mend(import_run: Import) -> bool:
    return import_run.rejected_rows.filter(is_whole=True).exclude(raw="").exists()
