"""The reviewer's queue: spot checks and disputes, one at a time, with the keys of the labelling page."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from annotation import permissions
from annotation.models import Project, Review
from annotation.selectors import choices as choice_selectors
from annotation.selectors import projects, review_cards, schemas
from annotation.services import reviews


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, slug: str) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_review)
    field = schemas.label_field(schemas.require(project))
    if request.method == "POST":
        return _decide(request, project, field["name"])
    claimed = reviews.claim_next(project, request.user)
    choices = choice_selectors.choices(field)
    card = review_cards.card(claimed, field["name"]) if claimed else None
    context = {
        "project": project,
        "card": card,
        "pressed": card.given if card else "",
        "choices": choices,
        "label_names": {choice.id: choice.name for choice in choices},
        "client_key": uuid.uuid4().hex,
    }
    return render(request, "annotation/review/review.html", context)


def _decide(request: HttpRequest, project: Project, field: str) -> HttpResponse:
    """A label that is the given one says "right"; another one says "wrong" and corrects it."""
    back = redirect("annotation:review", slug=project.slug)
    found = get_object_or_404(Review, uuid=_uuid(request.POST.get("review")), project=project)
    label, action = request.POST.get("label", ""), request.POST.get("action", "")
    given = found.annotation.value.get(field) if found.annotation else None
    value = None
    if action == "unsure":
        verdict = Review.Verdict.UNSURE
    elif action == "right" or (label and label == given):
        verdict = Review.Verdict.RIGHT
    elif label:
        verdict, value = Review.Verdict.WRONG, {field: label}
    else:
        messages.error(request, _("Nothing was chosen: say right, unsure, or choose a label."))
        return back
    try:
        reviews.decide(
            found,
            request.user,
            verdict,
            value=value,
            note=request.POST.get("note", ""),
            client_key=request.POST.get("client_key") or uuid.uuid4().hex,
        )
    except GyreError as error:
        messages.error(request, str(error))
    return back


def _uuid(given: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(given or "")
    except ValueError:
        return None
