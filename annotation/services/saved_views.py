"""Views of the items that people save, and the columns that they choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.errors import ViewRefused
from annotation.models import ColumnChoice, Project, SavedView
from annotation.permissions import can_engineer
from annotation.selectors import item_columns

LONGEST_NAME = 80
MOST_VIEWS = 100


@transaction.atomic
def save(
    project: Project, user: User, name: str, query: Mapping[str, str], *, is_shared: bool = False
) -> SavedView:
    """Keep a view under a name; one of the same name of one's own is replaced.

    Raises:
        ViewRefused: the name is empty or too long, or one has too many.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise ViewRefused(
            _("The name has %(found)s characters: give the view 1 to %(most)s.")
            % {"found": len(name), "most": LONGEST_NAME}
        )
    own = SavedView.objects.filter(project=project, owner=user)
    if not own.filter(name=name).exists() and own.count() >= MOST_VIEWS:
        raise ViewRefused(_("You have %(most)s views here: remove one first.") % {"most": MOST_VIEWS})
    view, _made = SavedView.objects.update_or_create(
        project=project, owner=user, name=name, defaults={"query": dict(query), "is_shared": is_shared}
    )
    return view


@transaction.atomic
def remove(view: SavedView, *, by: User) -> None:
    """Remove a view of one's own; engineers also those that others share.

    Raises:
        ViewRefused: it is somebody else's.
    """
    if view.owner_id != by.pk and not (view.is_shared and can_engineer(by, view.project)):
        raise ViewRefused(_("This view is %(owner)s's: ask them to remove it.") % {"owner": view.owner})
    view.delete()


def choose_columns(project: Project, user: User, columns: Iterable[str]) -> list[str]:
    """Remember the columns that a person wants to see; unknown ones are left out."""
    chosen = item_columns.known(columns)
    ColumnChoice.objects.update_or_create(project=project, user=user, defaults={"columns": chosen})
    return chosen
