"""What a round will cost, before it is launched."""

from __future__ import annotations

import os
from dataclasses import dataclass

from django.db.models import Count

from annotation.models import Project, Resolution
from selection.models import Column, Round
from selection.round_spec import RoundSpec
from selection.selectors import rounds
from training import learners

# Seconds on two cores with the default encoder; only used until the project has a round of its own to go by.
SECONDS_A_STEP = 0.25
SECONDS_A_TEXT = 0.004
SECONDS_OF_STARTS = 20.0
SECONDS_A_REPLY = 0.5  # of a language model of 135 M parameters


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`labels`: looks that people will give, second ones included. `basis` is the number of the round gone
    by,
    if any.
    """

    labels: int
    seconds: float
    basis: int | None
    cores: int


def estimate(project: Project, spec: RoundSpec) -> Estimate:
    """From the last finished round with the same learner if there is one, else from rules of thumb."""
    labels = round(spec.batch_size * (1 + project.overlap_share))
    for past in rounds.for_project(project).filter(state=Round.State.DONE, run__isnull=False)[:5]:
        alike = past.spec.get("compare_fresh", False) == spec.compare_fresh  # it trains twice
        if past.spec.get("learner") == spec.learner and alike:
            seconds = sum(rounds.station_seconds(past).values())
            return Estimate(labels=labels, seconds=seconds, basis=past.number, cores=os.cpu_count() or 1)
    return Estimate(labels=labels, seconds=_by_thumb(project, spec), basis=None, cores=os.cpu_count() or 1)


def _by_thumb(project: Project, spec: RoundSpec) -> float:
    labelled = Resolution.objects.filter(project=project, is_current=True).count()
    held = Column.objects.filter(project=project, kind=Column.Kind.EMBEDDING)
    embedded = sum(column["count"] for column in held.values("count"))
    items = project.items.aggregate(n=Count("pk"))["n"]
    scored = min(items, spec.pool_limit)
    seconds = SECONDS_OF_STARTS + SECONDS_A_TEXT * max(0, scored - embedded)
    if labelled and spec.learner == "finetune":
        settings = learners.settings_of("finetune", spec.learner_settings)
        epochs = learners.epochs_for(settings, labelled)
        runs = 2 if spec.compare_fresh else 1
        seconds += runs * SECONDS_A_STEP * epochs * labelled / settings.batch_size + SECONDS_A_TEXT * scored
    if labelled and spec.learner == "tune":
        tuned = learners.settings_of("tune", spec.learner_settings)
        seconds += SECONDS_A_REPLY * (tuned.epochs * labelled + min(scored, spec.pool_limit, 500))
    return seconds
