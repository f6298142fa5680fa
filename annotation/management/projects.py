"""What the commands of this app share: finding people and projects by name, and saying what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from accounts.errors import GyreError
from accounts.models import User
from annotation.models import Project


def project_named(slug: str) -> Project:
    """The project with this address, for an operator of the machine: no rights are asked here."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(
            _("There is no project “%(slug)s”: use one of %(known)s, or make it with create_project.")
            % {"slug": slug, "known": known or "–"}
        )
    return project


def user_named(username: str | None) -> User | None:
    if not username:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(_("There is no person “%(name)s”: check the name.") % {"name": username})
    return user


@contextmanager
def plainly() -> Iterator[None]:
    """Turn our own errors into the one sentence they are, without a traceback."""
    try:
        yield
    except GyreError as error:
        raise CommandError(str(error)) from error
