"""Files: uploaded, looked at, started. The run itself is in `import_runs`."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping as AnyMapping
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from accounts.wording import said
from annotation.errors import FileTooLarge, ImportRefused, SchemaMissing
from annotation.intake.read import sniff
from annotation.intake.records import IntakeError
from annotation.intake.validate import Mapping
from annotation.models import Import, Project, Source
from annotation.selectors import imports as reads
from annotation.selectors import schemas
from annotation.services.archive import guard_writable
from jobs.models import Job
from jobs.services import jobs

BLOCK = 1 << 20


def upload(
    project: Project,
    stream: BinaryIO,
    file_name: str,
    *,
    by: User | None = None,
    mends: Import | None = None,
    **reading: Any,
) -> Import:
    """Keep a file and find out what it is. `reading` (encoding, delimiter, format, has_header) is believed.

    A file whose encoding cannot be told is kept all the same: `Import.error` says so, `Import.file_info`
    holds a guess, and `look_again` reads it with the encoding that a person chooses.

    Raises:
        FileTooLarge: it is larger than IMPORT_MAX_MB.
        ImportRefused: it is empty, no text, damaged, or there is no room for it.
    """
    guard_writable(project)
    name = PurePath(file_name.replace("\\", "/")).name[-255:] or "upload"
    identity = uuid.uuid4()
    relative = Path("uploads") / str(project.uuid) / str(identity)
    target = Path(settings.DATA_DIR) / relative
    digest = _keep(stream, target, name)
    import_run = Import(
        uuid=identity,
        project=project,
        file_name=name,
        file_path=relative.as_posix(),
        sha256=digest,
        mends=mends,
        created_by=by,
    )
    try:
        _look(import_run, **reading)
    except IntakeError as error:
        if error.code != "encoding":
            target.unlink()
            raise _refused(error) from error
        import_run.error, import_run.file_info = said(error), {"guess": error.guess or ""}
    with transaction.atomic():
        source, _made = Source.objects.get_or_create(project=project, name=name[:200])
        import_run.source = source
        import_run.save(force_insert=True)
        audit.record(
            "import.uploaded", actor=by, scope=project.uuid, target=import_run, file=name, sha256=digest
        )
    return import_run


def look_again(import_run: Import, **reading: Any) -> Import:
    """Read the head of the file anew with what a person says about it (encoding, delimiter, format,
    has_header).

    Raises:
        ImportRefused: it cannot be read so either, or the import has begun.
    """
    if import_run.state != Import.State.UPLOADED:
        raise ImportRefused(_("This import has begun: upload the file again to read it in another way."))
    try:
        _look(import_run, **reading)
    except IntakeError as error:
        raise _refused(error) from error
    import_run.error = ""
    import_run.save(update_fields=["file_info", "error"])
    return import_run


def start(
    import_run: Import,
    mapping: Mapping | AnyMapping[str, Any],
    *,
    by: User | None = None,
    labels_from_file: bool = False,
) -> Job:
    """Begin the import with these columns, or go on with one that failed. `labels_from_file` adds the labels
    of the label column to the schema, or makes one of them.

    Raises:
        ImportRefused: a column is not in the file, other columns were begun with, or it runs or is done
        already.
        SchemaMissing: a label column is chosen, and the project has no labels.
    """
    guard_writable(import_run.project)
    chosen = mapping if isinstance(mapping, Mapping) else Mapping.from_json(mapping)
    info = reads.info(import_run)
    if info is None:
        raise ImportRefused(import_run.error or _("This file could not be read: upload it again."))
    try:
        chosen.check(info)
    except IntakeError as error:
        raise _refused(error) from error
    _check_labels(import_run.project, chosen, labels_from_file)
    stored = {**chosen.to_json(), reads.LABELS_FROM_FILE: labels_from_file}
    if import_run.lines_done and {**import_run.mapping, reads.LABELS_FROM_FILE: labels_from_file} != stored:
        raise ImportRefused(
            _("%(count)s lines are in already with other columns: go on with those, or upload it again.")
            % {"count": import_run.lines_done}
        )
    return _started(import_run, stored, by)


def _check_labels(project: Project, chosen: Mapping, labels_from_file: bool) -> None:
    """Refuse labels that no schema could take, before a row is read."""
    schema = schemas.current(project)
    column = chosen.label or chosen.value or chosen.best
    if column and schema is None and not (chosen.label and labels_from_file):
        raise SchemaMissing(
            _(
                "This project has no labels yet, so the column “%(column)s” cannot be read: take the labels "
                "from the file, add them in the settings, or choose no label column."
            )
            % {"column": column}
        )
    if not chosen.best or schema is None:
        return
    field = schemas.label_field(schema)
    if field["type"] != "preference":
        raise ImportRefused(
            _(
                "The first field of this project is no preference, so no response can be the better one: leave "
                "that out."
            ),
            code="import_mapping",
        )
    if field.get("strengths"):
        raise ImportRefused(
            _(
                "This project also asks how much better a response is, which a column with the better one does "
                "not say: take the strengths out of the schema, or choose a column with whole answers as JSON."
            ),
            code="import_mapping",
        )


@transaction.atomic
def _started(import_run: Import, mapping: dict[str, Any], by: User | None) -> Job:
    waiting = Import.objects.filter(pk=import_run.pk, state__in=[Import.State.UPLOADED, Import.State.FAILED])
    if not waiting.update(state=Import.State.RUNNING, mapping=mapping, error=""):
        raise ImportRefused(_("This import runs already, or is done."), code="import_begun", status=409)
    import_run.refresh_from_db()
    audit.record(
        "import.started", actor=by, scope=import_run.project.uuid, target=import_run, mapping=mapping
    )
    return jobs.enqueue(reads.KIND, subject=import_run, scope=import_run.project.uuid, created_by=by)


@transaction.atomic
def discard(import_run: Import, *, by: User | None = None) -> None:
    """Forget an uploaded file that was never started.

    Raises:
        ImportRefused: it was.
    """
    if not Import.objects.filter(pk=import_run.pk, state=Import.State.UPLOADED, lines_done=0).delete()[0]:
        raise ImportRefused(_("This import has begun: what is in stays in."))
    audit.record("import.discarded", actor=by, scope=import_run.project.uuid, file=import_run.file_name)
    file = reads.path(import_run)
    transaction.on_commit(lambda: file.unlink(missing_ok=True))


def fail(import_run: Import, message: str) -> None:
    """Book that the run has ended without finishing; it can be started again and goes on where it was."""
    Import.objects.filter(pk=import_run.pk, state=Import.State.RUNNING).update(
        state=Import.State.FAILED, error=message
    )


def _look(import_run: Import, **reading: Any) -> None:
    info = sniff(reads.path(import_run), name=import_run.file_name, **reading)
    import_run.file_info = info.to_json()


def _keep(stream: BinaryIO, target: Path, name: str) -> str:
    """Copy the stream to `target` and return its SHA-256; nothing is left behind when that fails."""
    digest, size = hashlib.sha256(), 0
    limit = settings.IMPORT_MAX_MB * 1_000_000
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("wb") as file:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > limit:
                    raise FileTooLarge(
                        _("%(name)s is larger than %(limit)s MB: split it, or raise IMPORT_MAX_MB.")
                        % {"name": name, "limit": settings.IMPORT_MAX_MB}
                    )
                digest.update(block)
                file.write(block)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise ImportRefused(
            _("%(name)s could not be kept (%(reason)s): make room on the server, then upload it again.")
            % {"name": name, "reason": error.strerror or error},
            code="import_not_kept",
            status=507,
        ) from error
    except FileTooLarge:
        target.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _refused(error: IntakeError) -> ImportRefused:
    return ImportRefused(error.sentence, code=f"import_{error.code}", details={"guess": error.guess or ""})
