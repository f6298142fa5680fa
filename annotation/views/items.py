"""The data manager: all items of a project, filtered, page by page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from annotation import permissions
from annotation.models import Item
from annotation.selectors import choices as choice_selectors
from annotation.selectors import items as selectors
from annotation.selectors import projects, schemas


@login_required
@require_GET
def items(request: HttpRequest, slug: str) -> HttpResponse:
    # not for annotators: whoever is to give a second, independent label must not look up the first
    project = projects.get_project(request.user, slug, permissions.can_review)
    filters = selectors.Filters(
        split=request.GET.get("split", ""),
        state=request.GET.get("state", ""),
        text=request.GET.get("text", "").strip()[:200],
        label=request.GET.get("label", ""),
    )
    page = selectors.page(
        project, filters, after=_row(request.GET.get("after")), before=_row(request.GET.get("before"))
    )
    schema = schemas.current(project)
    choices = choice_selectors.choices(schemas.label_field(schema)) if schema else []
    context = {
        "project": project,
        "filters": filters,
        "is_filtered": filters != selectors.Filters(),
        "page": page,
        "choices": choices,
        "label_names": {choice.id: choice.name for choice in choices},
        "splits": Item.Split.choices,
        "states": state_names(),
        "may_import": permissions.can_engineer(request.user, project),
    }
    return render(request, "annotation/items/items.html", context)


def state_names() -> dict[str, str]:
    return {
        "labelled": _("labelled"),
        "waiting": _("waiting for a label"),
        "unlabelled": _("not labelled"),
        "duplicate": _("duplicate"),
        "held_back": _("held back"),
    }


def _row(given: str | None) -> int | None:
    """A row from the address; nonsense is as good as none, and no number is too large for the database."""
    return min(int(given), 2**62) if given and given.isdecimal() and len(given) < 20 else None
