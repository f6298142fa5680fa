"""The labelling page. With scripts it talks to the API; without, each button posts the form to this view."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from accounts.wording import said
from annotation import permissions, score_words
from annotation.models import Project, SchemaVersion, Slot
from annotation.selectors import field_blocks, key_maps, progress, projects, schemas
from annotation.selectors import queue as queue_selectors
from annotation.selectors.field_blocks import FieldBlock
from annotation.services import discussions, labelling, queue
from annotation.task_types.registry import InvalidValue, from_form

HELD = 3  # items a page holds: the one on the screen and two behind it


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def label(request: HttpRequest, slug: str) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_label)
    if request.method == "POST":
        return _act(request, project)
    schema = schemas.require(project)
    slots = _with_asked_first(request, project, queue.lease(project, request.user, count=HELD))
    payloads = [
        slot.to_json() for slot in queue_selectors.payloads(project, request.user, slots, schema=schema)
    ]
    first = payloads[0] if payloads else None
    value = (first["previous"] or first["drafts"]) if first else {}
    keys = key_maps.keys_of(request.user, project)
    instant = field_blocks.is_instant(field_blocks.blocks(schema.definition))
    blocks = field_blocks.blocks(
        schema.definition, first["previous"] if first and instant else value, keys=keys
    )
    context = {
        "project": project,
        **field_blocks.page(blocks),
        "keys": keys.actions,
        "first": first,
        "suggested": _suggested(first, blocks) if instant else "",
        "client_key": uuid.uuid4().hex,
        "progress": progress.today(project, request.user),
        "message": _paused(project),
        "may_engineer": permissions.can_engineer(request.user, project),
        "skip_reasons": skip_reasons(),
        "schema": schema,
        "data": _data(request, project, schema, blocks, payloads),
    }
    return render(request, "annotation/label/label.html", context)


def _with_asked_first(request: HttpRequest, project: Project, slots: list[Slot]) -> list[Slot]:
    """A slot that the person holds and came here for (?slot=) goes before the others."""
    asked = _uuid(request.GET.get("slot"))
    own = queue.held(project, request.user).filter(uuid=asked).first() if asked else None
    if own is None:
        return slots
    return [own, *(slot for slot in slots if slot.pk != own.pk)][:HELD]


def _suggested(first: dict[str, Any] | None, blocks: list[FieldBlock]) -> str:
    """The name of the suggested label of an instant schema."""
    value = first["prelabel"]["value"] if first and first["prelabel"] else {}
    names = {choice.id: choice.name for choice in blocks[0].choices}
    return names.get(value.get(blocks[0].name), "")


def skip_reasons() -> list[str]:
    return [
        _("The text cannot be understood"),
        _("No label fits"),
        _("Several labels fit"),
        _("I do not know enough about this"),
    ]


def _paused(project: Project) -> str:
    if project.state == Project.State.PAUSED:
        return _("The project is paused: an admin can take it up again in its settings.")
    return ""


def _data(
    request: HttpRequest,
    project: Project,
    schema: SchemaVersion,
    blocks: list[FieldBlock],
    payloads: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the scripts need: the items held, addresses, and every sentence they may write."""
    api = reverse("annotation-api:next", args=[project.slug]).removesuffix("next")
    return {
        "project": project.slug,
        "user": str(request.user.uuid),
        "schema": schema.number,
        "break_minutes": request.user.break_minutes,
        "fields": [block.to_json() for block in blocks],
        "instant": field_blocks.is_instant(blocks),
        "slots": payloads,
        "lease_seconds": project.lease_seconds,
        "urls": {name: f"{api}{name}" for name in ("next", "submit", "skip", "flag", "undo", "renew")},
        "parts": score_words.names(),
        "texts": {
            "saved": _("saved ✓"),
            "waiting": _("%s waiting"),
            "offline": _("offline, %s kept here"),
            "signed-out": _("log in again, %s kept here"),
            "stopped": _("not sent, %s kept here"),
            "changed": _("The fields have changed meanwhile: these are the new ones."),
            "progress": _("%s of %s today"),
            "round": _("round %s"),
            "missing": _("Answer this first."),
            "flagged": _("Flagged: reviewers are told. Label or skip it, as you like."),
            "skipped": _(
                "The last one was skipped and is with others now. U again takes back the label before it."
            ),
        },
    }


def _act(request: HttpRequest, project: Project) -> HttpResponse:
    """A button of the form was pressed without scripts."""
    action = request.POST.get("action", "")
    back = redirect("annotation:label", slug=project.slug)
    try:
        if action == "undo":
            labelling.undo(project, request.user)
        elif action == "skip":
            reason = request.POST.get("reason", "").strip()
            if not reason:
                context = {"project": project, "slot": request.POST.get("slot"), "reasons": skip_reasons()}
                return render(request, "annotation/label/skip.html", context)
            queue.skip(project, request.user, _slot(request), reason)
        elif action == "flag":
            return _flag(request, project)
        else:
            _submit(request, project, accept=action == "accept")
    except (GyreError, InvalidValue) as error:
        messages.error(request, said(error))
    return back


def _flag(request: HttpRequest, project: Project) -> HttpResponse:
    """Without scripts the message is asked for on a page of its own."""
    slot = _slot(request)
    text = request.POST.get("reason", "").strip()
    if not text:
        return render(request, "annotation/label/flag.html", {"project": project, "slot": slot})
    discussions.flag(project, request.user, slot, text)
    messages.success(request, _("Flagged: reviewers are told. Label or skip it, as you like."))
    return redirect("annotation:label", slug=project.slug)


def _submit(request: HttpRequest, project: Project, *, accept: bool) -> None:
    definition = schemas.require(project).definition
    prelabel = _uuid(request.POST.get("prelabel"))
    value = queue_selectors.suggested(project, _slot(request), prelabel) if accept else {}
    value = value or from_form(definition, request.POST.getlist)
    given = request.POST.get("schema", "")
    send = partial(
        labelling.submit,
        project,
        request.user,
        _slot(request),
        value,
        prelabel_uuid=prelabel,
        schema_number=int(given) if given.isdecimal() else None,
    )
    stored = send(client_key=request.POST.get("client_key") or uuid.uuid4().hex)
    if not stored.created and stored.annotation.value != value:
        # the back button brought the form back with the key it had: a new answer corrects the one before
        send(client_key=uuid.uuid4().hex)


def _slot(request: HttpRequest) -> uuid.UUID:
    slot = _uuid(request.POST.get("slot"))
    if slot is None:
        raise GyreError(
            _("The form did not say which item it was for: load the page again."), code="slot_missing"
        )
    return slot


def _uuid(given: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(given or "")
    except ValueError:
        return None
