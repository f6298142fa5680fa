"""The data manager: all items of a project, filtered, sorted, page by page. Its state is its address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from annotation import permissions
from annotation.errors import ViewRefused
from annotation.models import Item, Project
from annotation.selectors import (
    action_words,
    item_choices,
    item_columns,
    item_filters,
    item_labels,
    projects,
    schemas,
    search_states,
)
from annotation.selectors import items as selectors
from annotation.selectors.items import MOST_SELECTED
from annotation.services import item_actions, saved_views


@login_required
@require_GET
def items(request: HttpRequest, slug: str) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    filters = item_filters.from_params(request.GET, project)
    sort = item_filters.sort_of(request.GET.get("sort"))
    page = selectors.page(
        project,
        filters,
        sort=sort,
        after=request.GET.get("after") or None,
        before=request.GET.get("before") or None,
    )
    schema = schemas.current(project)
    actions = [
        (name, action_words.NAMES[name])
        for name in item_actions.allowed(request.user, project)  # type: ignore[arg-type]
    ]
    context = {
        "project": project,
        "filters": filters,
        "sort": sort,
        "is_filtered": not filters.is_empty,
        "has_more_filters": _has_more(filters),
        "page": page,
        "offers": item_choices.offers(project, schema),
        "states": item_choices.state_names(),
        "methods": dict(item_choices.Resolution.Method.choices),
        "splits": dict(Item.Split.choices),
        "columns": item_columns.of(project, request.user, request.GET.get("columns")),
        "all_columns": item_columns.COLUMNS,
        "views": _views(request, project, filters, sort),
        "actions": actions,
        "query": state_of(request.GET, project),
        "most": MOST_SELECTED,
        "unsearchable": search_states.unsearchable(project) if filters.text else 0,
        "unindexed": item_labels.unindexed(project) if filters.label else False,
        "may_import": permissions.can_engineer(request.user, project),
    }
    return render(request, "annotation/items/items.html", context)


def _has_more(filters: item_filters.Filters) -> bool:
    """Whether one of the filters that are folded away is set."""
    folded = ("suggested", "sure_from", "sure_to", "decided", "person", "source", "batch", "meta")
    return any(getattr(filters, name) not in ("", None) for name in folded)


def state_of(params: Any, project: Project) -> dict[str, str]:
    """What of an address makes a view: filters, sort and columns, without the place in the list."""
    sort = item_filters.sort_of(params.get("sort"))
    found = item_filters.from_params(params, project).to_params()
    if sort != "row":
        found["sort"] = sort
    if params.get("columns") is not None:
        found["columns"] = ",".join(item_columns.known(params["columns"].split(",")))
    return found


def _views(
    request: HttpRequest, project: Project, filters: item_filters.Filters, sort: str
) -> list[dict[str, Any]]:
    now = state_of(request.GET, project)
    return [
        {
            "view": view,
            "url": f"?{urlencode(view.query)}",
            "is_current": view.query == now,
            "is_own": view.owner_id == request.user.pk,
            "may_remove": view.owner_id == request.user.pk or permissions.can_engineer(request.user, project),
        }
        for view in item_choices.views(project, request.user)
    ]


@login_required
@require_POST
def columns(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose the columns: kept for the person, and taken out of the address, where they would win."""
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    saved_views.choose_columns(project, request.user, request.POST.getlist("column"))  # type: ignore[arg-type]
    state = state_of(QueryDict(request.POST.get("query", "")), project)
    state.pop("columns", None)
    return to_items(project, state)


@login_required
@require_POST
def view_save(request: HttpRequest, slug: str) -> HttpResponse:
    """Save the filters, sort and columns of the page under a name."""
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    state = state_of(QueryDict(request.POST.get("query", "")), project)
    state.setdefault("columns", ",".join(item_columns.of(project, request.user, None)))
    try:
        view = saved_views.save(
            project,
            request.user,  # type: ignore[arg-type]
            request.POST.get("name", ""),
            state,
            is_shared=bool(request.POST.get("is_shared")),
        )
    except ViewRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
    return to_items(project, state)


@login_required
@require_POST
def view_remove(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    view = get_object_or_404(item_choices.views(project, request.user), uuid=uuid)
    try:
        saved_views.remove(view, by=request.user)  # type: ignore[arg-type]
    except ViewRefused as error:
        messages.error(request, str(error))
    return redirect("annotation:items", slug=slug)


def to_items(project: Project, state: dict[str, str]) -> HttpResponseRedirect:
    url = reverse("annotation:items", args=[project.slug])
    return HttpResponseRedirect(f"{url}?{urlencode(state)}" if state else url)
