"""One's own keys for a project."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import permissions
from annotation.errors import KeysRefused
from annotation.models import Project
from annotation.selectors import field_blocks, key_maps, schemas
from annotation.selectors.projects import get_project
from annotation.services import key_maps as services


@login_required
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_label)
    if request.method == "POST" and _stored(request, project):
        return redirect("annotation:label", slug=slug)
    chosen = key_maps.keys_of(request.user, project)
    typed = request.POST
    blocks = field_blocks.blocks(schemas.require(project).definition, keys=chosen)
    names = {"undo": _("undo"), "skip": _("skip"), "flag": _("flag"), "guide": _("guideline")}
    context = {
        "project": project,
        "actions": [
            (name, names[name], typed.get(f"action.{name}", key), key_maps.ACTIONS[name])
            for name, key in chosen.actions.items()
        ],
        "fields": [
            (
                block,
                [
                    (
                        choice,
                        typed.get(
                            f"{block.name}.{choice.id}", chosen.labels.get(block.name, {}).get(choice.id, "")
                        ),
                    )
                    for choice in block.choices
                ],
            )
            for block in blocks
            if block.choices
        ],
    }
    return render(request, "annotation/keys/keys.html", context, status=422 if typed else 200)


def _stored(request: HttpRequest, project: Project) -> bool:
    """Keep what was typed, or say why not."""
    user = request.user
    if request.POST.get("action") == "reset":
        services.reset(project, user)  # type: ignore[arg-type]
        messages.success(request, _("The usual keys are back."))
        return True
    definition = schemas.require(project).definition
    labels = {
        field["name"]: {
            label["id"]: request.POST.get(f"{field['name']}.{label['id']}", "")
            for label in field.get("labels", ())
        }
        for field in definition["fields"]
    }
    actions = {name: request.POST.get(f"action.{name}", "") for name in key_maps.ACTIONS}
    try:
        services.choose(project, user, actions=actions, labels=labels)  # type: ignore[arg-type]
    except KeysRefused as error:
        messages.error(request, str(error))
        return False
    messages.success(request, _("Your keys are saved."))
    return True
