"""Projects: new ones, copies, putting away and taking up again."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotation import permissions
from annotation.errors import AnnotationError, ProjectRefused
from annotation.forms import CloneForm, ProjectForm
from annotation.selectors.projects import get_project
from annotation.services import projects
from annotation.views.form_errors import add_errors


@login_required
@require_http_methods(["GET", "POST"])
def project_new(request: HttpRequest) -> HttpResponse:
    if not permissions.can_create_projects(request.user):
        raise PermissionDenied(_("Only engineers, admins and superusers make projects: ask one of them."))
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            project = projects.create(
                given["name"],
                created_by=request.user,
                template=given["template"],
                labels=given["labels"],
                description=given["description"],
            )
        except ProjectRefused as error:
            add_errors(form, error)
        except AnnotationError as error:
            form.add_error("labels", str(error))
        else:
            messages.success(request, _("The project is made. Import the texts; then invite the people."))
            return redirect("annotation:import", slug=project.slug)
    return render(request, "annotation/project/new.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def project_clone(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    form = CloneForm(request.POST or None, initial={"name": _("Copy of %(name)s") % {"name": project.name}})
    if request.method == "POST" and form.is_valid():
        try:
            twin = projects.clone(
                project,
                form.cleaned_data["name"],
                by=request.user,  # type: ignore[arg-type]
                with_people=form.cleaned_data["with_people"],
            )
        except ProjectRefused as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The copy is made; it has no items yet."))
            return redirect("annotation:settings", slug=twin.slug)
    context = {"project": project, "form": form}
    return render(request, "annotation/project/clone.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def project_state(request: HttpRequest, slug: str) -> HttpResponse:
    """Archive, unarchive, pause or resume: the button that was pressed says which."""
    project = get_project(request.user, slug, permissions.can_admin)
    actions = {
        "archive": (projects.archive, _("The project is archived: it can be read and exported.")),
        "unarchive": (projects.unarchive, _("The project is taken up again.")),
        "pause": (projects.pause, _("The project is paused: no more work is handed out.")),
        "resume": (projects.resume, _("The project goes on.")),
    }
    action = actions.get(request.POST.get("action", ""))
    if action is None:
        raise ProjectRefused(
            _("There is no such action: choose one of %(known)s.") % {"known": ", ".join(actions)}
        )
    change, sentence = action
    change(project, by=request.user)  # type: ignore[arg-type]
    messages.success(request, sentence)
    return redirect("annotation:settings", slug=slug)
