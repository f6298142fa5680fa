"""What is done at each station of a round. Every function is the body of a job and is safe to run twice.

Each returns what is kept as the station's detail; its "note" is the sentence that people read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
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
from selection.errors import BadSpec, PoolTooSmall
from selection.models import Round, Station
from selection.round_spec import RoundSpec
from selection.selectors import picks as picks_of
from selection.selectors import values
from selection.services import builds, changes, item_columns, losses, picking, pool, publishing
from training import learners
from training.models import Evaluation, ModelVersion
from training.objectives import language
from training.selectors import models
from training.services import decisions, programs, tuning

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
    kind = schemas.label_field(schemas.require(round_.project))["type"]
    lacking = tuning.why_not(round_.project, kind)
    learnable = learners.learns(spec.learner, kind) and not lacking
    limit = picking.pool_limit(spec, cold=not learnable or is_cold(labels["train"], kind))
    rows, _clusters = pool.sample(round_.project, limit if spec.batch_size else 0, spec.seed)
    if spec.batch_size and not len(rows):
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
        "type": kind,
        "learnable": learnable,
        "lacking": lacking,
        "pool": len(rows),
        "embedded": planned.lacking,
        "note": note,
    }


def is_cold(train_labels: dict[str, int], kind: str = "") -> bool:
    """Whether there is too little to learn from: no label, or one label only; of responses and preferences,
    which have no categories to speak of, too few.
    """
    if kind in language.TYPES:
        return sum(train_labels.values()) < language.LEAST_EXAMPLES
    return sum(1 for count in train_labels.values() if count) < 2


def _label_counts(round_: Round) -> dict[str, Counter[str]]:
    """split -> label id -> number of items with that final label. Where the type has no categories the answers
    are "first", the first one and all that equal it, and "other".
    """
    field = schemas.label_field(schemas.require(round_.project))
    category = task_types.task_type(field).category
    counts: dict[str, Counter[str]] = {split: Counter() for split in Item.Split.values}
    first: dict[str, Any] = {}
    found = Resolution.objects.filter(project=round_.project, is_current=True, item__held_back="")
    for split, value in found.values_list("item__split", "value").iterator(chunk_size=20_000):
        if field["name"] in value:
            answer = value[field["name"]]
            like_first = "first" if first.setdefault(split, answer) == answer else "other"
            counts[split][category(field, answer) or like_first] += 1
    return counts


def freeze(ctx: JobContext) -> Outcome:
    """Freeze the labels into a dataset version."""
    round_: Round = ctx.subject
    ctx.progress(0, 1, "writing the dataset")
    weights = None
    if round_.spec.get("weigh_by_value"):
        weights = _weights(round_)
    dataset = datasets.freeze(round_.project, by=round_.created_by, origin=origin_of(round_), weights=weights)
    Round.objects.filter(pk=round_.pk).update(dataset=dataset)
    note = _("%(dataset)s: %(train)s to train on, %(validation)s for validation, %(test)s to test on") % {
        "dataset": dataset,
        "train": dataset.train_count,
        "validation": dataset.validation_count,
        "test": dataset.test_count,
    }
    if told := dataset.manifest.get("weights"):
        note += "; " + _("%(count)s weighed by what their labels are worth") % {"count": told["items"]}
    return {"dataset": str(dataset.uuid), "number": dataset.number, "note": note}


def _weights(round_: Round) -> datasets.Weights:
    valuation = values.newest(round_.project)
    if valuation is None:
        raise BadSpec(_("There are no values of labels to weigh items by any more: work them out again."))
    return values.weights(valuation)


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
    rows, _clusters = pool.ready(round_.project, picking.scored_limit(spec, round_.model), spec.seed)
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
    picking.ensure_draws(ctx, round_.project, plan, spec)
    order = picking.write_order(round_, plan, spec, ctx.attempt_folder())
    result = programs.run_light(ctx, picking.PROGRAM, order)
    summary = picks_of.read_summary(result)
    losses.keep(round_.project, order, result)
    with transaction.atomic():
        Round.objects.filter(pk=round_.pk).update(picks=artifacts.store(result, "picks"))
    words = {"count": summary["picked"], "control": summary["control"], "strategy": summary["strategy"]}
    note = ngettext(
        "%(count)s item picked by “%(strategy)s”, %(control)s at random as control arm.",
        "%(count)s items picked by “%(strategy)s”, %(control)s of them at random as control arm.",
        summary["picked"],
    )
    effort = item_columns.note(round_.project, plan.strategy, plan.settings)
    changed = changes.of_model(round_, order)
    said = [plan.note, note % words, effort, changes.note(changed)]
    return {**summary, "changed": asdict(changed) if changed else None, "note": " ".join(filter(None, said))}


def publish(ctx: JobContext) -> Outcome:
    """Put the picks into the queue, with the model's suggestions."""
    round_: Round = ctx.subject
    ctx.progress(0, 1, "publishing")
    batch = publishing.publish(round_, origin=origin_of(round_))
    slots = batch.slots.count()
    note = ngettext("%(count)s item to label", "%(count)s items to label", slots) % {"count": slots}
    return {"batch": batch.number, "slots": slots, "note": note}
