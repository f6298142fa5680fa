"""The pages of rounds: all of them, one as it runs, and the form that launches the next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.charts import Chart
from accounts.errors import GyreError
from annotation.models import Project
from annotation.selectors import schemas
from annotation.selectors.projects import get_project
from jobs.models import Job
from selection import charts, strategy_words
from selection.forms import LaunchForm, spec_to_start_from
from selection.models import Round
from selection.permissions import may_run_rounds
from selection.round_spec import RoundSpec
from selection.selectors import estimates, pool_state, progress
from selection.selectors import rounds as reads
from selection.services import previews, replays, rounds
from selection.strategies.blend import BlendSettings
from selection.strategies.registry import STRATEGIES
from training import learners, settings_schema


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """All rounds, and how models have got better over them."""
    project = get_project(request.user, slug, may_run_rounds)
    turns = progress.turns(project)
    context = {
        "project": project,
        "rounds": reads.for_project(project)[:100],
        "chart": charts.accuracy_by_round(turns) if turns else None,
        "running": reads.for_project(project).filter(state=Round.State.RUNNING).first(),
    }
    return render(request, "selection/rounds/index.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def launch(request: HttpRequest, slug: str) -> HttpResponse:
    """The launch form; POST launches, or with `preview` shows what would be picked."""
    project = get_project(request.user, slug, may_run_rounds)
    spec, preview = _starting_point(request, project)
    form = LaunchForm(request.POST if request.method == "POST" else None, spec=spec, project=project)
    order = spec
    if request.method == "POST" and form.is_valid():
        order = form.cleaned_data["spec"]
        try:
            if "preview" in request.POST:
                job = previews.launch(project, order, by=request.user)
                return redirect(f"{request.path}?preview={job.uuid}#preview")
            round_ = rounds.launch(project, order, by=request.user)
            return redirect("selection:round", slug=project.slug, number=round_.number)
        except GyreError as error:
            form.refuse(str(error))
    context = {
        "project": project,
        "form": form,
        "spec": spec,
        "strategies": strategy_words.choices(),
        "strategy_name": strategy_words.name_of(spec.strategy),
        "strategy_help": strategy_words.help_of(spec.strategy),
        "strategy_picture": strategy_words.picture_of(spec.strategy),
        "learners": _learners(project),
        "estimate": estimates.estimate(project, spec),
        "preview": preview,
        "schedule": _schedule(order, reads.for_project(project).count()),
    }
    return render(request, "selection/rounds/launch.html", context, status=400 if form.errors else 200)


def _schedule(spec: RoundSpec, turn: int) -> Chart | None:
    """How the weights move, where the strategy's do."""
    settings_class = STRATEGIES[spec.strategy].settings
    if not issubclass(settings_class, BlendSettings):
        return None
    return charts.blend_schedule(settings_schema.read(settings_class, spec.settings), turn)


def _learners(project: Project) -> list[learners.Learner]:
    """Those that learn from the project's labels; all where none does."""
    schema = schemas.current(project)
    able = learners.learners_for(schemas.label_field(schema)["type"]) if schema else []
    return able or list(learners.LEARNERS.values())


def _starting_point(request: HttpRequest, project: Project) -> tuple[RoundSpec, Job | None]:
    """What the form starts from: a preview's order, else the last round's, with the strategy and learner
    chosen above it.
    """
    preview = None
    if key := request.GET.get("preview"):
        preview = _preview_job(project, key)
        spec = RoundSpec.from_json(preview.params["spec"])
    else:
        spec = spec_to_start_from(project, reads.latest(project))
    given = request.POST if request.method == "POST" else request.GET
    strategy, learner = given.get("strategy", spec.strategy), given.get("learner", spec.learner)
    if strategy in STRATEGIES and strategy != spec.strategy:
        spec = replace(spec, strategy=strategy, settings={})
    if learner in learners.LEARNERS and learner != spec.learner:
        spec = replace(spec, learner=learner, learner_settings={}, compare_fresh=False)
    return spec, preview


def _preview_job(project: Project, key: str) -> Job:
    return get_object_or_404(Job, uuid=key, kind=previews.KIND, scope=project.uuid)


@login_required
@require_GET
def preview(request: HttpRequest, slug: str, uuid: Any) -> HttpResponse:
    """The preview as it stands; polled by the launch page."""
    project = get_project(request.user, slug, may_run_rounds)
    context = {"project": project, "preview": _preview_job(project, str(uuid))}
    return render(request, "selection/rounds/_preview.html", context)


@login_required
@require_GET
def detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One round: where it stands, what it learnt, what it picked."""
    project = get_project(request.user, slug, may_run_rounds)
    round_ = reads.get_round(project, number)
    turns = [turn for turn in progress.turns(project) if turn.round_number <= number]
    points = reads.read_map(round_)
    page = request.GET.get("page", "1")
    context = {
        **_live(project, round_),
        "accuracy_chart": charts.accuracy_by_round(turns) if turns else None,
        "map_chart": charts.pool_map(points) if points else None,
        "batch": reads.batch_page(round_, int(page) if page.isdigit() else 1, request.GET.get("tag", "")),
        "replay": reads.newest_replay(round_),
        "refreshes": pool_state.refreshes_of(round_),
        "spec_text": json.dumps(round_.spec, indent=1, ensure_ascii=False),
    }
    return render(request, "selection/rounds/detail.html", context)


@login_required
@require_GET
def live(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The part of a round's page that moves; polled while the round runs."""
    project = get_project(request.user, slug, may_run_rounds)
    return render(request, "selection/rounds/_live.html", _live(project, reads.get_round(project, number)))


def _live(project: Project, round_: Round) -> dict[str, Any]:
    learner = learners.LEARNERS.get(round_.spec["learner"])
    return {
        "project": project,
        "round": round_,
        "strategy_name": strategy_words.name_of(round_.spec["strategy"]),
        "learner_name": learner.label if learner else round_.spec["learner"],
        "stations": reads.stations(round_),
        "loss_chart": charts.loss(round_.run.job) if round_.run and round_.run.job else None,
        "log": reads.log(round_),
        "is_running": round_.state == Round.State.RUNNING,
        "may_cancel": round_.state == Round.State.RUNNING and round_.batch_id is None,
        "may_retry": round_.state == Round.State.FAILED,
    }


@login_required
@require_GET
def replay_status(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The newest replay of a round; polled while it runs."""
    project = get_project(request.user, slug, may_run_rounds)
    round_ = reads.get_round(project, number)
    context = {"project": project, "round": round_, "replay": reads.newest_replay(round_)}
    return render(request, "selection/rounds/_replay.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    rounds.cancel(reads.get_round(project, number), by=request.user)
    messages.success(
        request, _("Round %(number)s is cancelled; what it had made is kept.") % {"number": number}
    )
    return redirect("selection:round", slug=slug, number=number)


@login_required
@require_POST
def retry(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    rounds.retry(reads.get_round(project, number), by=request.user)
    return redirect("selection:round", slug=slug, number=number)


@login_required
@require_POST
def replay(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    replays.launch(reads.get_round(project, number), by=request.user)
    response = redirect("selection:round", slug=slug, number=number)
    response["Location"] += "#replay"
    return response
