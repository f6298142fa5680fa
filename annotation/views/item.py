"""One item: its text, everybody's answers, and why it was picked."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from annotation import permissions
from annotation.models import Item, Project, Resolution
from annotation.selectors import action_words, item_choices, item_filters, item_page, items, projects
from annotation.services import item_actions
from annotation.views.items import state_of


@login_required
@require_GET
def item(request: HttpRequest, slug: str, row: int) -> HttpResponse:
    """`before` and `next` are the neighbours among the items that pass the address's filters, by row."""
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    found = item_page.item_page(project, min(row, 2**62))
    if found is None:
        raise Http404(_("There is no item of this row."))
    state = state_of(request.GET, project)
    filters = item_filters.from_params(request.GET, project)
    sort = state.get("sort", "row") if state.get("sort") == "-row" else "row"
    before, after = items.neighbours(project, filters, sort, str(row))
    context = {
        "project": project,
        "page": found,
        "states": item_choices.state_names(),
        "methods": dict(Resolution.Method.choices),
        "splits": dict(Item.Split.choices),
        "before_url": _url(project, before, state),
        "after_url": _url(project, after, state),
        "list_url": reverse("annotation:items", args=[slug]) + (f"?{urlencode(state)}" if state else ""),
        "query": state,
        "may_review": permissions.can_review(request.user, project),
        "actions": [
            (name, action_words.NAMES[name])
            for name in item_actions.allowed(request.user, project)  # type: ignore[arg-type]
        ],
    }
    return render(request, "annotation/items/item.html", context)


def _url(project: Project, row: int | None, state: dict[str, str]) -> str:
    if row is None:
        return ""
    url = reverse("annotation:item", args=[project.slug, row])
    return f"{url}?{urlencode(state)}" if state else url
