"""Exports: a stream of bytes, and an entry in the log of who took what out."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import ExportRefused
from annotation.models import Project
from annotation.selectors.exports import WHATS
from annotation.selectors.table_formats import FORMATS


def stream(
    project: Project, what: str = "resolutions", format: str = "jsonl", *, by: User | None = None
) -> Iterator[bytes]:
    """The whole export, block by block. `what` is a key of `WHATS`, `format` of `FORMATS`.

    Raises:
        ExportRefused: there is no such thing or format; before the first byte.
    """
    _check(what, WHATS.keys(), _("There is no export “%(given)s”: choose one of %(known)s."))
    _check(format, FORMATS.keys(), _("There is no format “%(given)s”: choose one of %(known)s."))
    audit.record("export.started", actor=by, scope=project.uuid, target=project, what=what, format=format)
    columns, blocks = WHATS[what](project)
    write, _content_type = FORMATS[format]
    return write(columns, blocks)


def content_type(format: str) -> str:
    return FORMATS[format][1]


def file_name(project: Project, what: str, format: str) -> str:
    return f"{project.slug}-{what}-{timezone.now():%Y%m%d-%H%M}.{format}"


def _check(given: str, known: object, sentence: str) -> None:
    names = list(known)  # type: ignore[call-overload]
    if given not in names:
        raise ExportRefused(sentence % {"given": given, "known": ", ".join(names)})
