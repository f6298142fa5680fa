"""Who belongs to a project: members, invitations, and joining by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.errors import GyreError, NameTaken, PasswordRefused
from annotation import permissions
from annotation.errors import AnnotationError
from annotation.forms import InviteForm, JoinForm
from annotation.models import Membership, Project, Role
from annotation.selectors import memberships as reads
from annotation.selectors.projects import get_project
from annotation.services import memberships


@login_required
@require_GET
def people(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    return _page(request, project, InviteForm())


@login_required
@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Make an invitation. Its link is shown in the answer and never again, so there is no redirect."""
    project = get_project(request.user, slug, permissions.can_admin)
    form = InviteForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            made, secret = memberships.invite(
                project,
                given["role"],
                by=request.user,
                uses=given["uses"],
                days=given["days"],  # type: ignore[arg-type]
            )
        except AnnotationError as error:
            form.add_error(None, str(error))
        else:
            link = request.build_absolute_uri(reverse("annotation:join", args=[secret]))
            return _page(request, project, InviteForm(), invite_link=link, made=made)
    return _page(request, project, form, status=422)


@login_required
@require_POST
def invite_revoke(request: HttpRequest, slug: str, uuid: Any) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    memberships.revoke_invite(
        get_object_or_404(project.invites.select_related("project"), uuid=uuid), by=request.user
    )  # type: ignore[arg-type]
    messages.success(request, _("The invitation is withdrawn."))
    return redirect("annotation:people", slug=slug)


@login_required
@require_POST
def member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change one member: the button that was pressed says how."""
    project = get_project(request.user, slug, permissions.can_admin)
    membership = get_object_or_404(reads.members(project), pk=pk)
    action = request.POST.get("action", "")
    try:
        if action == "reset":
            path = memberships.reset_link(membership, by=request.user)  # type: ignore[arg-type]
            link = request.build_absolute_uri(path)
            return _page(request, project, InviteForm(), reset_link=link, reset_for=membership.user)
        messages.success(request, _change(membership, action, request))
    except AnnotationError as error:
        messages.error(request, str(error))
    return redirect("annotation:people", slug=slug)


def _change(membership: Membership, action: str, request: HttpRequest) -> str:
    changes: dict[str, tuple[Callable[..., object], str]] = {
        "deactivate": (memberships.deactivate, _("%(name)s is out of the project; their labels stay.")),
        "reactivate": (memberships.reactivate, _("%(name)s is back in the project.")),
    }
    if action in changes:
        change, sentence = changes[action]
        change(membership, by=request.user)
    else:
        memberships.set_role(membership, request.POST.get("role", ""), by=request.user)  # type: ignore[arg-type]
        sentence = _("The role of %(name)s is changed.")
    return sentence % {"name": membership.user}


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Where an invitation leads: a new account, or the project of the account that is signed in."""
    found = memberships.open_invite(secret)
    context: dict[str, Any] = {"project": found.project, "role": Role(found.role).label, "secret": secret}
    if request.user.is_authenticated:
        if request.method == "POST":
            memberships.accept_invite(secret, request.user)
            return redirect("annotation:label", slug=found.project.slug)
        return render(request, "annotation/people/accept.html", context)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            user = memberships.join(
                secret,
                given["username"],
                password=given["password"],
                email=given["email"],
                language=get_language() or "",
            )
        except NameTaken as error:
            form.add_error(
                "email" if given["email"] and given["email"] in str(error) else "username", str(error)
            )
        except PasswordRefused as error:
            form.add_error("password", str(error))
        except GyreError as error:
            form.add_error(None, str(error))
        else:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("annotation:label", slug=found.project.slug)
    return render(
        request, "annotation/people/join.html", {**context, "form": form}, status=422 if form.errors else 200
    )


def _page(
    request: HttpRequest, project: Project, form: InviteForm, *, status: int = 200, **extra: Any
) -> HttpResponse:
    context = {
        "project": project,
        "members": reads.members(project),
        "invites": reads.open_invites(project),
        "groups": reads.groups(project),
        "roles": Role.choices,
        "form": form,
        **extra,
    }
    return render(request, "annotation/people/people.html", context, status=status)
