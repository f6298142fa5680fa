"""Exports: a stream of bytes, and an entry in the log of who took what out."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import ExportRefused
from annotation.models import Item, Project
from annotation.selectors.exports import TRAINING, WHATS
from annotation.selectors.table_formats import FORMATS, NESTED, Columns, Rows
from annotation.selectors.training_rows import Choice, training
from annotation.task_types.registry import InvalidDefinition

KINDS = (*WHATS, TRAINING)


def stream(
    project: Project,
    what: str = "resolutions",
    format: str = "jsonl",
    *,
    by: User | None = None,
    choice: Choice | None = None,
) -> Iterator[bytes]:
    """The whole export, block by block. `what` is one of `KINDS`, `format` of `FORMATS`; `choice` says which
    training examples.

    Raises:
        ExportRefused: there is no such thing, format, field or split, or the format has no place for it; before
        the first byte.
        SchemaMissing: training examples of a project without labels.
    """
    _check(what, KINDS, _("There is no export “%(given)s”: choose one of %(known)s."))
    _check(format, FORMATS, _("There is no format “%(given)s”: choose one of %(known)s."))
    if what == TRAINING:
        columns, blocks = _training(project, format, choice or Choice())
    else:
        columns, blocks = WHATS[what](project)
    audit.record("export.started", actor=by, scope=project.uuid, target=project, what=what, format=format)
    write, _content_type = FORMATS[format]
    return write(columns, blocks)


def _training(project: Project, format: str, choice: Choice) -> tuple[Columns, Iterator[Rows]]:
    if choice.split:
        _check(choice.split, Item.Split.values, _("There is no split “%(given)s”: choose one of %(known)s."))
    try:
        columns, blocks = training(project, choice)
    except InvalidDefinition as error:
        raise ExportRefused(error.sentence) from error
    if format == "csv" and NESTED.keys() & set(columns.values()):
        raise ExportRefused(
            _("These training examples hold lists, which CSV has no place for: choose JSONL or Parquet.")
        )
    return columns, blocks


def content_type(format: str) -> str:
    return FORMATS[format][1]


def file_name(project: Project, what: str, format: str) -> str:
    return f"{project.slug}-{what}-{timezone.now():%Y%m%d-%H%M}.{format}"


def _check(given: str, known: object, sentence: str) -> None:
    names = list(known)  # type: ignore[call-overload]
    if given not in names:
        raise ExportRefused(sentence % {"given": given, "known": ", ".join(names)})
