"""The page of a project's pool: columns, index, warm refresh; for engineers."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.errors import GyreError
from annotation.selectors.projects import get_project
from selection.forms import RefreshForm
from selection.models import ColumnBuild
from selection.permissions import may_run_rounds
from selection.selectors import pool_state
from selection.services import builds, indexing, pool, refreshes


@login_required
@require_GET
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    state = pool_state.read(project, pool.embedding_key())
    context = {"project": project, "state": state, "form": RefreshForm(instance=state.policy)}
    return render(request, "selection/pool/detail.html", context)


@login_required
@require_GET
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """What is computed now; polled while there is something."""
    project = get_project(request.user, slug, may_run_rounds)
    context = {"project": project, "state": pool_state.read(project, pool.embedding_key()), "is_poll": True}
    return render(request, "selection/pool/_work.html", context)


@login_required
@require_POST
def embed(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    builds.ensure_embeddings(project, by=request.user)
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    try:
        indexing.ensure(project, by=request.user)
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def refresh(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    try:
        refreshes.launch(project, by=request.user)
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def policy(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether and how often the batch is refreshed while people label."""
    project = get_project(request.user, slug, may_run_rounds)
    form = RefreshForm(request.POST, instance=refreshes.policy(project))
    if not form.is_valid():
        state = pool_state.read(project, pool.embedding_key())
        context = {"project": project, "state": state, "form": form}
        return render(request, "selection/pool/detail.html", context, status=400)
    refreshes.set_policy(project, **form.cleaned_data, by=request.user)
    messages.success(request, _("Stored."))
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def cancel(request: HttpRequest, slug: str, uuid: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    builds.cancel(get_object_or_404(ColumnBuild, project=project, uuid=uuid), by=request.user)
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def retry(request: HttpRequest, slug: str, uuid: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    builds.retry(get_object_or_404(ColumnBuild, project=project, uuid=uuid), by=request.user)
    return redirect("selection:pool", slug=project.slug)
