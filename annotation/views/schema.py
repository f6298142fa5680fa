"""The editor of a schema: a form that works without scripts, the same as JSON, and what people will see."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotation import permissions
from annotation.errors import AnnotationError, SchemaRefused
from annotation.models import Project, SchemaVersion
from annotation.schema_editor import edits, pages
from annotation.schema_editor.draft import Draft, can_be_drafted, definition_of, draft_of
from annotation.schema_editor.reading import read_draft
from annotation.selectors import outdated, schema_samples, schemas
from annotation.selectors.projects import get_project
from annotation.services import schemas as services
from annotation.task_types import registry


@login_required
@require_http_methods(["GET", "POST"])
def labels(request: HttpRequest, slug: str) -> HttpResponse:
    """Nothing is stored before "save": each other button answers with the page as it then stands."""
    project = get_project(request.user, slug, permissions.can_admin)
    schema = schemas.current(project)
    if request.method == "GET":
        return _form(request, project, draft_of(schema.definition) if schema else edits.starting_draft())
    if request.POST.get("mode") == "json":
        return _act_on_json(request, project, schema)
    action, draft = request.POST.get("act", ""), read_draft(request.POST.getlist)
    if action == "save":
        return _save(request, project, schema, draft)
    if action == "as-json":
        return _json(request, project, json.dumps(definition_of(draft), ensure_ascii=False, indent=2))
    _edit(request, draft, schema, action)
    return _form(request, project, draft)


def _edit(request: HttpRequest, draft: Draft, schema: SchemaVersion | None, action: str) -> None:
    """One button of the form. A field that people have answered stays, and says so."""
    verb, _colon, position = action.partition(":")
    if (
        verb == "remove-field"
        and position.isdecimal()
        and len(position) < 4
        and int(position) < len(draft.fields)
    ):
        one = draft.fields[int(position)]
        if schema_samples.is_answered(schema, one.texts["name"].strip()):
            one.complaints.append(
                _("The field “%(field)s” has been answered: it can neither go nor change its type.")
                % {"field": one.texts["name"].strip()}
            )
            return
    pasted = request.POST.get(f"{':'.join(action.split(':')[1:]).replace(':', '.')}.pasted", "")
    edits.edit(draft, action, new_type=request.POST.get("new_type", ""), pasted=pasted)


def _save(request: HttpRequest, project: Project, schema: SchemaVersion | None, draft: Draft) -> HttpResponse:
    definition = definition_of(draft)
    complaints = registry.complaints(definition)
    if complaints:
        draft.complain(complaints)
        return _form(request, project, draft, status=422)
    if schema is not None and definition == definition_of(draft_of(schema.definition)):
        definition = schema.definition  # nothing was changed: no new version for another way of writing it
    try:
        version = services.publish(project, definition, by=request.user)  # type: ignore[arg-type]
    except SchemaRefused as error:
        about = edits.restore(draft, schema.definition, error.details or {}) if schema else []
        for place in about or [draft]:
            place.complaints.append(str(error))
        return _form(request, project, draft, status=422)
    except AnnotationError as error:
        draft.complaints.append(str(error))
        return _form(request, project, draft, status=422)
    return _saved(request, project, schema, version)


def _saved(
    request: HttpRequest, project: Project, schema: SchemaVersion | None, version: SchemaVersion
) -> HttpResponse:
    if schema == version:
        messages.info(
            request, _("Nothing was changed: version %(number)s stays.") % {"number": version.number}
        )
    else:
        messages.success(
            request, _("The labels are saved as version %(number)s.") % {"number": version.number}
        )
    return redirect("annotation:settings", slug=project.slug)


def _act_on_json(request: HttpRequest, project: Project, schema: SchemaVersion | None) -> HttpResponse:
    text, action = request.POST.get("definition", ""), request.POST.get("act", "")
    definition, complaints = pages.read_json(text)
    if action == "as-form" and not complaints:
        if can_be_drafted(definition):
            return _form(request, project, draft_of(definition))
        complaints = [found.sentence for found in registry.complaints(definition)] or [
            _("The form cannot show this definition: keep it as JSON.")
        ]
    elif action == "save" and not complaints:
        complaints = [found.sentence for found in registry.complaints(definition)]
        if not complaints:
            try:
                return _saved(
                    request,
                    project,
                    schema,
                    services.publish(project, definition, by=request.user),  # type: ignore[arg-type]
                )
            except AnnotationError as error:
                complaints = [str(error)]
    return _json(request, project, text, complaints)


@login_required
@require_POST
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What people would see of the schema as it stands in the form. Writes nothing."""
    project = get_project(request.user, slug, permissions.can_admin)
    if request.POST.get("mode") == "json":
        definition, complaints = pages.read_json(request.POST.get("definition", ""))
        if not can_be_drafted(definition):
            definition = {"fields": []}
    else:
        definition, complaints = definition_of(read_draft(request.POST.getlist)), []
    context = {**pages.preview(project, definition), "project": project}
    context["complaints"] = complaints or context["complaints"]
    return render(request, "annotation/schema/_preview.html", context)


def _form(request: HttpRequest, project: Project, draft: Draft, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"project": project, "draft": draft, **pages.form(project, draft)}
    if request.headers.get("X-Requested-With") == "editor":
        return render(request, "annotation/schema/_fields.html", context, status=status)
    context |= {"preview": pages.preview(project, definition_of(draft)), "mode": "form"}
    context["outdated"] = outdated.outdated(project)
    return render(request, "annotation/schema/edit.html", context, status=status)


def _json(
    request: HttpRequest, project: Project, text: str, complaints: list[str] | None = None
) -> HttpResponse:
    definition, _unread = pages.read_json(text)
    shown = definition if can_be_drafted(definition) else {"fields": []}
    context = {
        "project": project,
        "mode": "json",
        "text": text,
        "complaints": complaints or [],
        "preview": pages.preview(project, shown),
    }
    return render(request, "annotation/schema/edit.html", context, status=422 if complaints else 200)
