"""The reviewer's queue: spot checks and disputes, one at a time, with the keys of the labelling page."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from accounts.wording import said
from annotation import permissions
from annotation.models import Item, Project, Review, SchemaVersion
from annotation.selectors import field_blocks, key_maps, projects, review_cards, schemas
from annotation.services import reviews
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue, from_form, validate_value


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, slug: str) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_review)
    schema = schemas.require(project)
    if request.method == "POST":
        return _decide(request, project, schema)
    claimed = reviews.claim_next(project, request.user)
    card = review_cards.card(claimed, schema) if claimed else None
    keys = key_maps.keys_of(request.user, project)
    blocks = field_blocks.blocks(schema.definition, card.given if card else None, keys=keys)
    context = {
        "project": project,
        "card": card,
        **field_blocks.page(blocks),
        "keys": {**keys.actions, "correct": field_blocks.correct_key(blocks, keys)},
        "client_key": uuid.uuid4().hex,
        "data": _data(card, blocks) if card else None,
    }
    return render(request, "annotation/review/review.html", context)


def _data(card: review_cards.Card, blocks: list[field_blocks.FieldBlock]) -> dict[str, Any]:
    """What the scripts need: the item as the labelling page has it, the answer, and every answer given."""
    return {
        "fields": [block.to_json() for block in blocks],
        "instant": field_blocks.is_instant(blocks),
        "slot": {"text": card.text, "content": card.content, "meta": card.meta, "drafts": card.drafts},
        "given": card.given,
        "looks": [look.value for look in card.looks],
        "texts": {"missing": _("Answer this first.")},
    }


def _decide(request: HttpRequest, project: Project, schema: SchemaVersion) -> HttpResponse:
    """An answer that is the given one says "right"; another one says "wrong" and corrects it."""
    back = redirect("annotation:review", slug=project.slug)
    found = get_object_or_404(Review, uuid=_uuid(request.POST.get("review")), project=project)
    action = request.POST.get("action", "")
    value = None
    try:
        if action == "unsure":
            verdict = Review.Verdict.UNSURE
        elif action == "right":
            verdict = Review.Verdict.RIGHT
        else:
            value = _value(request, schema, found.item)
            is_given = found.annotation is not None and found.annotation.value == value
            verdict = Review.Verdict.RIGHT if is_given else Review.Verdict.WRONG
        reviews.decide(
            found,
            request.user,
            verdict,
            value=None if verdict == Review.Verdict.RIGHT else value,
            note=request.POST.get("note", ""),
            client_key=request.POST.get("client_key") or uuid.uuid4().hex,
        )
    except (GyreError, InvalidValue) as error:
        messages.error(request, said(error))
    return back


def _value(request: HttpRequest, schema: SchemaVersion, item: Item) -> dict[str, Any]:
    """The answer as it would be stored: as the scripts made it, or from the form's own fields."""
    made = request.POST.get("answer", "")
    if made:
        try:
            value = dict(json.loads(made))
        except (TypeError, ValueError) as error:
            raise InvalidValue(_("The answer did not arrive whole: load the page again.")) from error
    else:
        value = from_form(schema.definition, request.POST.getlist)
        if not any(value.values()):
            raise InvalidValue(_("Nothing was chosen: say right, unsure, or choose a label."))
    return validate_value(schema.definition, value, content_of(item.text, item.data))


def _uuid(given: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(given or "")
    except ValueError:
        return None
