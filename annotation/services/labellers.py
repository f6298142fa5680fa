"""The row behind whoever gives labels. Asking twice gives the same one."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import Import, Labeller, Project


def person(project: Project, user: User) -> Labeller:
    return _get(project, Labeller.Kind.PERSON, str(user.uuid), str(user), user)


def model(project: Project, key: str, name: str) -> Labeller:
    """A model version, whose `key` is opaque here."""
    return _get(project, Labeller.Kind.MODEL, key, name)


def importer(import_run: Import) -> Labeller:
    name = _("import of %(file)s") % {"file": import_run.file_name}
    return _get(import_run.project, Labeller.Kind.IMPORT, str(import_run.uuid), name)


def rule(project: Project, key: str, name: str) -> Labeller:
    return _get(project, Labeller.Kind.RULE, key, name)


def _get(project: Project, kind: Labeller.Kind, key: str, name: str, user: User | None = None) -> Labeller:
    labeller, _made = Labeller.objects.get_or_create(
        project=project, kind=kind, key=key, defaults={"name": name[:200], "user": user}
    )
    return labeller
