"""An action on many items: first what will happen to how many, then doing it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import permissions
from annotation.errors import ActionRefused
from annotation.models import Item, Project, Tag
from annotation.selectors import action_words, item_choices, item_filters, items, projects, row_ranges
from annotation.services import item_actions
from annotation.services.item_marks import LONGEST_REASON, LONGEST_TAG
from annotation.views.items import state_of, to_items

SHOWN = 5
OPTIONS = ("to", "tag", "reason")


@login_required
@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """GET names the items by `row`, or by `all` with the filters; POST by the `rows` that were shown."""
    project = projects.get_project(request.user, slug, permissions.can_see_items)
    given = request.POST if request.method == "POST" else request.GET
    query = QueryDict(given["query"]) if "query" in given else request.GET
    state = state_of(query, project)
    action = item_actions.ACTIONS.get(given.get("action", ""))
    if action is None:
        messages.error(request, _("Choose what to do with the items."))
        return to_items(project, state)
    permissions.require(action.need, request.user, project)
    if request.method == "POST":
        return _done(request, project, action.name, state)
    rows, is_whole = _chosen(request, project)
    if not rows:
        messages.error(request, _("No item is chosen: mark some, or choose all that match."))
        return to_items(project, state)
    return _confirm(request, project, action.name, rows, state, is_whole=is_whole)


def _chosen(request: HttpRequest, project: Project) -> tuple[list[int], bool]:
    if request.GET.get("all"):
        selection = items.select(project, item_filters.from_params(request.GET, project))
        found = Item.objects.filter(pk__in=selection.ids).order_by("row")
        return list(found.values_list("row", flat=True)), selection.is_whole
    rows = row_ranges.from_text(",".join(request.GET.getlist("row")), most=item_actions.MOST)
    known = Item.objects.filter(project=project, row__in=rows).order_by("row")
    return list(known.values_list("row", flat=True)), True


def _confirm(
    request: HttpRequest,
    project: Project,
    name: str,
    rows: list[int],
    state: dict[str, str],
    *,
    is_whole: bool = True,
    error: str = "",
) -> HttpResponse:
    evaluation = Item.objects.filter(project=project, row__in=rows).exclude(split=Item.Split.TRAIN)
    context: dict[str, Any] = {
        "project": project,
        "action": name,
        "title": action_words.NAMES[name],
        "meaning": action_words.MEANINGS[name],
        "count": len(rows),
        "is_whole": is_whole,
        "is_job": len(rows) > item_actions.AT_ONCE,
        "evaluation": evaluation.count() if name in ("delete", "hold_back") else 0,
        "shown": Item.objects.filter(project=project, row__in=rows[:SHOWN]).order_by("row"),
        "more": max(0, len(rows) - SHOWN),
        "rows": row_ranges.to_text(rows),
        "state": state,
        "assignees": item_choices.assignees(project) if name in ("assign", "relabel") else [],
        "tags": Tag.objects.filter(project=project)[: item_choices.MOST] if "tag" in name else [],
        "given": {option: request.POST.get(option, "") for option in OPTIONS},
        "longest": {"tag": LONGEST_TAG, "reason": LONGEST_REASON},
        "error": error,
    }
    return render(request, "annotation/items/confirm.html", context, status=422 if error else 200)


def _done(request: HttpRequest, project: Project, name: str, state: dict[str, str]) -> HttpResponse:
    rows = row_ranges.from_text(request.POST.get("rows", ""), most=item_actions.MOST)
    options = {option: request.POST.get(option, "") for option in OPTIONS if option in request.POST}
    try:
        outcome, job = item_actions.start(project, name, rows, options, by=request.user)  # type: ignore[arg-type]
    except ActionRefused as error:
        if not rows:
            raise
        return _confirm(request, project, name, rows, state, error=str(error))
    if job is not None:
        messages.success(
            request, _("The items are changed in the background; this page shows how far it is.")
        )
        return redirect(job)
    assert outcome is not None
    messages.success(request, action_words.summary(name, outcome.rows, outcome.left))
    return to_items(project, state)
