"""The guard that every write to a project passes."""

from __future__ import annotations

from django.utils.translation import gettext as _

from annotation.errors import ProjectArchived
from annotation.models import Project


def guard_writable(project: Project) -> None:
    """Raise `ProjectArchived` if nothing may be written to this project any more."""
    if project.state == Project.State.ARCHIVED:
        raise ProjectArchived(
            _("The project “%(name)s” is archived: take it up again in its settings, then try again.")
            % {"name": project.name}
        )
