"""New versions of a project's guideline: how to decide."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.services import audit
from annotation.models import GuidelineVersion, Project
from annotation.selectors import schemas
from annotation.services.archive import guard_writable


@transaction.atomic
def publish(
    project: Project, text: str, *, change_note: str = "", by: User | None = None
) -> GuidelineVersion:
    """Make `text` (Markdown) the project's guideline. The same text as now gives the current version again."""
    guard_writable(project)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    text = text.replace("\r\n", "\n").strip()
    newest = schemas.current_guideline(project)
    if newest is not None and newest.text == text:
        return newest
    version = GuidelineVersion.objects.create(
        project=project,
        number=newest.number + 1 if newest else 1,
        text=text,
        change_note=change_note.strip()[:300],
        created_by=by,
    )
    audit.record("guideline.published", actor=by, scope=project.uuid, target=project, number=version.number)
    return version
