"""Asking a language model the project's prompts several times, as a job: how unsure it is about each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import Project
from annotation.services.archive import guard_writable
from jobs.models import Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import NothingToAsk
from selection.selectors import prompts as reads
from selection.services import pool
from training.errors import BadBaseModel
from training.selectors import base_models as bases
from training.services import base_models

PROGRAM = "selection.programs.generate"
MOST = 200  # prompts of one job
SAMPLES = 8  # answers to a prompt at each temperature
TEMPERATURES = (0.3, 0.7, 1.0)
TOKENS = 48  # an answer is cut there


def launch(project: Project, *, count: int, model: str = "", by: User | None = None) -> Job:
    """Add the job that asks `count` prompts of the pool; the one that waits or runs, where there is one.

    model: name of a registered language model; "" is the project's default.

    Raises:
        NothingToAsk: no field asks for a response, a count out of bounds, an empty pool, no language model.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    if not reads.asks_for_responses(project):
        raise NothingToAsk(_("No field of this project asks for a response: there are no prompts to ask."))
    if not 1 <= count <= MOST:
        raise NothingToAsk(
            _("Found %(count)s prompts, expected 1 to %(most)s.") % {"count": count, "most": MOST}
        )
    if not pool.candidates(project).exists():
        raise NothingToAsk(_("No prompt is left without an answer: import more first."))
    try:
        base = bases.find(project, model)
    except BadBaseModel as error:
        raise NothingToAsk(str(error)) from error
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=project.pk)  # two presses, one job
        if running := reads.running(project):
            return running
        params = {"count": count, "model": base.told()}
        return jobs.enqueue(reads.KIND, subject=project, scope=project.uuid, params=params, created_by=by)


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: draw the prompts, ask them, keep the program's folder."""
    from training.learning import encoder

    project: Project = ctx.subject
    rows, _clusters = pool.sample(project, int(ctx.params["count"]), ctx.job.pk)
    if not len(rows):  # they were answered while the job waited
        raise NothingToAsk(_("No prompt is left without an answer: import more first."))
    spec = {
        "prompts": str(pool.write_texts(project, rows, ctx.attempt_folder() / "prompts.parquet")),
        "model": base_models.unchanged(project, dict(ctx.params["model"])).path,
        "models": str(Path(settings.DATA_DIR) / "models"),
        "encoder": str(encoder.default_encoder_path()),
        "samples": SAMPLES,
        "temperatures": list(TEMPERATURES),
        "max_new_tokens": TOKENS,
        "seed": ctx.job.pk,
    }
    result = ctx.run_program(PROGRAM, spec)
    summary = reads.read_summary(result)
    artifact = artifacts.store(result, "answers")
    told = {name: summary[name] for name in ("prompts", "answers", "tokens", "seconds")}
    return {"artifact": artifact.sha256, "model": ctx.params["model"]["name"], **told}
