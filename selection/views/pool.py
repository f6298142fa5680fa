"""The page of a project's pool: columns, index, warm refresh; for engineers."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.errors import GyreError
from annotation.models import Project
from annotation.permissions import can_review
from annotation.selectors.projects import get_project
from selection import index_words
from selection.forms import LayerForm, RefreshForm
from selection.index.choice import FLAT_BELOW, FLOOR
from selection.models import ColumnBuild
from selection.permissions import may_run_rounds
from selection.selectors import pool_state, prompts
from selection.services import builds, indexing, pool, refreshes


@login_required
@require_GET
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, get_project(request.user, slug, may_run_rounds))


def _page(request: HttpRequest, project: Project, form: RefreshForm | None = None) -> HttpResponse:
    """The page; with a form that was refused as it was filled in."""
    state = pool_state.read(project, pool.embedding_key(project))
    context = {
        "project": project,
        "state": state,
        "form": form or RefreshForm(instance=state.policy),
        "has_prompts": prompts.asks_for_responses(project),
        "may_review": can_review(request.user, project),
        "index_kinds": index_words.KINDS.items(),
        "index_asked_for": indexing.asked_for(indexing.current(project)),
        "flat_below": FLAT_BELOW,
        "floor": FLOOR,
        "layer_form": LayerForm(initial={"layer": pool.layer_of(project)}),
    }
    return render(request, "selection/pool/detail.html", context, status=400 if form else 200)


@login_required
@require_GET
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """What is computed now; polled while there is something."""
    project = get_project(request.user, slug, may_run_rounds)
    context = {
        "project": project,
        "state": pool_state.read(project, pool.embedding_key(project)),
        "is_poll": True,
    }
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
        indexing.ensure(project, kind=request.POST.get("kind", ""), by=request.user)
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("selection:pool", slug=project.slug)


@login_required
@require_POST
def layer(request: HttpRequest, slug: str) -> HttpResponse:
    """Which layer of the encoder the vectors come from."""
    project = get_project(request.user, slug, may_run_rounds)
    form = LayerForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, " ".join(form.errors["layer"]))
        elif pool.set_layer(project, form.cleaned_data["layer"], by=request.user):
            messages.success(request, _("Stored. Vectors by this layer are computed when they are needed."))
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
        return _page(request, project, form)
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
