"""Many similar items on one page, labelled together by a reviewer or an engineer."""

from __future__ import annotations

import secrets
import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from annotation.models import Project
from annotation.permissions import can_engineer, can_review
from annotation.selectors import field_blocks, item_labels, key_maps, schemas
from annotation.selectors.projects import get_project
from annotation.services import bulk_labels
from selection.services import neighbours

LIKE = 75  # per cent; at least so similar items are chosen at first; a person changes it
NEARLY_SAME = 92  # as much, where somebody asks for what says the same in almost the same words


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def grid(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, can_review)
    definition = schemas.require(project).definition
    blocks = field_blocks.blocks(definition, keys=key_maps.keys_of(request.user, project))
    if request.method == "POST":
        return _label(request, project, blocks[0].name)
    row, text = _row(request.GET.get("row")), request.GET.get("text", "")
    like = min(_row(request.GET.get("like")) or (NEARLY_SAME if "near" in request.GET else LIKE), 100)
    found, problem = _found(project, row, text)
    context = {
        "project": project,
        "field": blocks[0],  # not "block": inside a template's block that name is taken
        "usable": field_blocks.is_instant(blocks),
        "found": found,
        "problem": problem,
        "row": row,
        "text": text,
        "like": like / 100,
        "like_percent": like,
        "is_nearly_same": like >= NEARLY_SAME,
        "given": item_labels.final_answer(project, row, blocks[0].name) if row is not None else None,
        "client_key": uuid.uuid4().hex,
        "checked_share": max(project.spot_check_share, bulk_labels.CHECKED_SHARE),
        "may_engineer": can_engineer(request.user, project),
    }
    return render(request, "selection/grid/grid.html", context)


def _found(project: Project, row: int | None, text: str) -> tuple[list[neighbours.Neighbour], str]:
    """What is like the text, else like the item at `row`, else like any one; and what is wrong with the text."""
    if text.strip():
        try:
            return neighbours.near_text(project, text), ""
        except GyreError as error:
            return [], str(error)
    if row is None:
        row = neighbours.some_row(project, secrets.randbelow(2**31))
    return (neighbours.near(project, row) if row is not None else []), ""


def _label(request: HttpRequest, project: Project, field: str) -> HttpResponse:
    """Label what is chosen; the next page begins somewhere else."""
    rows = [row for given in request.POST.getlist("rows") if (row := _row(given)) is not None]
    url = reverse("selection:grid", args=[project.slug])
    try:
        outcome = bulk_labels.label_many(
            project,
            request.user,  # type: ignore[arg-type]
            rows,
            {field: request.POST.get("label", "")},
            client_key=request.POST.get("client_key", ""),
            check_share=1.0 if "check_all" in request.POST else bulk_labels.CHECKED_SHARE,
        )
    except GyreError as error:
        messages.error(request, str(error))
        return redirect(f"{url}?{_place(request)}")
    text = ngettext("%(count)s item labelled.", "%(count)s items labelled.", outcome.labelled)
    text %= {"count": outcome.labelled}
    if outcome.passed_over:
        text += " " + _("%(count)s were left as they are: somebody has looked at them meanwhile.") % {
            "count": outcome.passed_over
        }
    messages.success(request, text)
    # A search goes on with what it has not labelled yet; where nothing was searched for, with another item.
    return redirect(f"{url}?{_place(request)}" if request.POST.get("text", "").strip() else url)


def _place(request: HttpRequest) -> str:
    """The query of the page that was labelled."""
    like = {"like": given} if (given := _row(request.POST.get("like"))) else {}
    if text := request.POST.get("text", "").strip():
        return urlencode({"text": text, **like})
    return urlencode({"row": _row(request.POST.get("row")) or 0, **like})


def _row(given: str | None) -> int | None:
    return int(given) if given and given.isdecimal() and len(given) < 19 else None
