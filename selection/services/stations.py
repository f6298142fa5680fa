"""What is done at each station of a round. Every function is the body of a job and is safe to run twice.

Each returns what is kept as the station's detail; its "note" is the sentence that people read.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Item, Resolution
from annotation.selectors import schemas
from annotation.services import datasets
from annotation.task_types import registry as task_types
from jobs.services import artifacts
from jobs.services.context import JobContext
from selection.errors import PoolTooSmall
from selection.models import Round, Station
from selection.round_spec import RoundSpec
from selection.selectors import picks as picks_of
from selection.services import builds, picking, pool, publishing
from training.models import Evaluation, ModelVersion
from training.objectives.registry import OBJECTIVES
from training.selectors import models
from training.services import decisions, programs

Outcome = dict[str, Any]


def origin_of(round_: Round) -> str:
    """The key by which lower floors know what a round asked of them, so that asking twice gives one."""
    return f"round:{round_.uuid}"


def shards_of(round_: Round, station: str) -> str:
    """The key of the build that a station waits for, where its column lacked more than one job computes."""
    return f"{origin_of(round_)}:{station}"


def collect(ctx: JobContext) -> Outcome:
    """Count the labels that are in, and bring the embedding column up to date for what this round will look
    at.
    """
    round_: Round = ctx.subject
    spec = RoundSpec.from_json(round_.spec)
    labels = _label_counts(round_)
    field = schemas.label_field(schemas.require(round_.project))
    learnable = field["type"] in OBJECTIVES
    limit = picking.pool_limit(spec, cold=not learnable or is_cold(labels["train"]))
    rows, _clusters = pool.sample(round_.project, limit, spec.seed)
    if not len(rows):
        raise PoolTooSmall(
            _("No unlabelled item is left in this project: import more texts, then launch a round.")
        )
    wanted = np.union1d(rows, pool.labelled_rows(round_.project))
    planned = builds.compute(ctx, round_.project, wanted, origin=shards_of(round_, Station.COLLECT))
    train = sum(labels["train"].values())
    note = ngettext("%(count)s label to learn from", "%(count)s labels to learn from", train) % {
        "count": train
    }
    return {
        "labels": {split: sum(counts.values()) for split, counts in labels.items()},
        "train_labels": dict(labels["train"]),
        "type": field["type"],
        "learnable": learnable,
        "pool": len(rows),
        "embedded": planned.lacking,
        "note": note,
    }


def is_cold(train_labels: dict[str, int]) -> bool:
    """Whether there is too little to learn from: no label, or one label only."""
    return sum(1 for count in train_labels.values() if count) < 2


def _label_counts(round_: Round) -> dict[str, Counter[str]]:
    """split -> label id -> number of items with that final label; "" where the type has no categories."""
    field = schemas.label_field(schemas.require(round_.project))
    category = task_types.task_type(field).category
    counts: dict[str, Counter[str]] = {split: Counter() for split in Item.Split.values}
    found = Resolution.objects.filter(project=round_.project, is_current=True, item__held_back="")
    for split, value in found.values_list("item__split", "value").iterator(chunk_size=20_000):
        if field["name"] in value:
            counts[split][category(field, value[field["name"]]) or ""] += 1
    return counts


def freeze(ctx: JobContext) -> Outcome:
    """Freeze the labels into a dataset version."""
    round_: Round = ctx.subject
    ctx.progress(0, 1, "writing the dataset")
    dataset = datasets.freeze(round_.project, by=round_.created_by, origin=origin_of(round_))
    Round.objects.filter(pk=round_.pk).update(dataset=dataset)
    note = _("%(dataset)s: %(train)s to train on, %(validation)s for validation, %(test)s to test on") % {
        "dataset": dataset,
        "train": dataset.train_count,
        "validation": dataset.validation_count,
        "test": dataset.test_count,
    }
    return {"dataset": str(dataset.uuid), "number": dataset.number, "note": note}


def decide(ctx: JobContext) -> Outcome:
    """Decide on the model by the rule, and measure what picking has gained over drawing at random so far."""
    round_: Round = ctx.subject
    assert round_.run is not None
    model = ModelVersion.objects.get(run=round_.run)
    ctx.progress(0, 2, "deciding")
    evaluation = Evaluation.objects.filter(model=model, dataset=round_.dataset).first()
    decision = decisions.decide(model, evaluation)
    serving = models.deployed(round_.project)
    Round.objects.filter(pk=round_.pk).update(model=serving)
    ctx.progress(1, 2, "comparing with the control arm")
    from selection.services import (
        evidence,  # trains small probes: scikit-learn stays out of the web's imports
    )

    return {
        "action": decision.action,
        "proven": decision.proven,
        "model": str(serving.uuid) if serving else "",
        "control": evidence.control_against_picks(round_) if round_.spec.get("evidence", True) else None,
        "note": decision.reason,
    }


def score(ctx: JobContext) -> Outcome:
    """Bring the deployed model's probability column up to date for what this round may pick."""
    round_: Round = ctx.subject
    assert round_.model is not None
    spec = RoundSpec.from_json(round_.spec)
    rows, _clusters = pool.ready(round_.project, spec.pool_limit, spec.seed)
    planned = builds.compute(
        ctx, round_.project, rows, model=round_.model, origin=shards_of(round_, Station.SCORE)
    )
    note = ngettext("%(count)s item scored by %(model)s", "%(count)s items scored by %(model)s", len(rows))
    return {
        "scored": planned.lacking,
        "pool": len(rows),
        "note": note % {"count": len(rows), "model": round_.model},
    }


def pick(ctx: JobContext) -> Outcome:
    """Pick the batch and keep the result folder with the round."""
    round_: Round = ctx.subject
    spec = RoundSpec.from_json(round_.spec)
    plan = picking.plan(round_, spec)
    order = picking.write_order(round_, plan, spec, ctx.attempt_folder())
    result = programs.run_light(ctx, picking.PROGRAM, order)
    summary = picks_of.read_summary(result)
    with transaction.atomic():
        Round.objects.filter(pk=round_.pk).update(picks=artifacts.store(result, "picks"))
    words = {"count": summary["picked"], "control": summary["control"], "strategy": summary["strategy"]}
    note = ngettext(
        "%(count)s item picked by “%(strategy)s”, %(control)s at random as control arm.",
        "%(count)s items picked by “%(strategy)s”, %(control)s of them at random as control arm.",
        summary["picked"],
    )
    return {**summary, "note": " ".join(filter(None, [plan.note, note % words]))}


def publish(ctx: JobContext) -> Outcome:
    """Put the picks into the queue, with the model's suggestions."""
    round_: Round = ctx.subject
    ctx.progress(0, 1, "publishing")
    batch = publishing.publish(round_, origin=origin_of(round_))
    slots = batch.slots.count()
    note = ngettext("%(count)s item to label", "%(count)s items to label", slots) % {"count": slots}
    return {"batch": batch.number, "slots": slots, "note": note}
