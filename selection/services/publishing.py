"""From picks to slots that people work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from annotation.models import Batch, Item, Slot
from annotation.selectors import schemas
from annotation.services import batches, labellers, prelabels
from annotation.task_types import labels as label_lists
from annotation.task_types import registry as task_types
from annotation.task_types.content import content_of
from jobs.errors import Cancelled
from jobs.services import artifacts
from selection.models import Column, Round
from selection.selectors import picks as picks_of
from selection.selectors.picks import Picked
from training.models import ModelVersion
from training.objectives.task import Answer
from training.programs import predictions
from training.services import tuning

SHOWN_SCORES = 5  # probabilities kept with a suggestion: the likeliest few


def publish(round_: Round, *, origin: str) -> Batch:
    """Publish the round's picks once, suggestions first, so that nobody is handed an item without its
    suggestion.

    In many short transactions, since people label meanwhile. Either the batch is out in the end, or the round
    was cancelled and nothing of it is left in the queue.
    """
    assert round_.picks is not None
    folder = artifacts.path(round_.picks)
    picks = picks_of.read_picks(folder)
    station = round_.stations.filter(name="pick").values_list("note", flat=True).first() or ""
    now = Round.objects.get(pk=round_.pk)
    if now.state == Round.State.CANCELLED:
        raise Cancelled
    if now.batch is not None:
        return now.batch
    probabilities = picks_of.read_probabilities(folder)
    if probabilities is not None:
        suggest(round_, picks, probabilities)
    elif round_.model is not None and (folder / "unsure.npy").is_file():
        suggest_answers(round_, round_.model, picks)
    batch = batches.publish(
        round_.project,
        [
            _pick(round_, pick, why)
            for pick, why in zip(picks, picks_of.explanations(folder, picks), strict=True)
        ],
        origin=origin,
        title=_("Round %(number)s") % {"number": round_.number},
        note=station,
    )
    if not Round.objects.filter(pk=round_.pk).exclude(state=Round.State.CANCELLED).update(batch=batch):
        batches.take_back(batch)
        raise Cancelled
    return batch


def _pick(round_: Round, pick: Picked, why: dict[str, Any]) -> batches.Pick:
    note = _("drawn at random, to measure what picking gains") if pick.is_control else ""
    return batches.Pick(
        row=pick.row,
        purpose=Slot.Purpose.CONTROL if pick.is_control else Slot.Purpose.LABEL,
        design="random" if pick.is_control else round_.spec["strategy"],
        inclusion_probability=pick.inclusion_probability,
        explanation={**why, "round": round_.number, "note": note},
    )


def suggest(round_: Round, picks: Sequence[Picked], probabilities: npt.NDArray[np.floating]) -> None:
    """Store the model's likeliest label for each picked item, under the model's own labeller; of a tuned
    language model what it would answer.

    probabilities: (picks, k) of the round's model.
    """
    model = round_.model
    if model is None:
        return
    if tuning.is_tuned(model):
        suggest_answers(round_, model, picks)
        return
    field = task_types.field_of(schemas.require(round_.project).definition)
    known = set(label_lists.answers_of(field))
    labeller = labellers.model(round_.project, key=str(model.uuid), name=str(model))
    ids = dict(
        Item.objects.filter(project=round_.project, row__in=[pick.row for pick in picks]).values_list(
            "row", "pk"
        )
    )
    suggestions = []
    for pick, probs in zip(picks, probabilities, strict=True):
        ranked = sorted(
            ((label, float(p)) for label, p in zip(model.labels, probs, strict=True) if label in known),
            key=lambda pair: -pair[1],
        )[:SHOWN_SCORES]
        if ranked:
            label, confidence = ranked[0]
            suggestions.append((ids[pick.row], {field["name"]: label}, confidence, dict(ranked)))
    prelabels.store(round_.project, labeller, suggestions)


def suggest_answers(round_: Round, model: ModelVersion, picks: Sequence[Picked]) -> None:
    """Store what a model whose answers are no single label answered when the pool was scored. An answer that the
    schema no longer takes is left out.
    """
    project = round_.project
    definition = schemas.require(project).definition
    field = model.figures.get("field") or task_types.field_of(definition)
    told = _told(model, {pick.row for pick in picks})
    suggestions = []
    for item in Item.objects.filter(project=project, row__in=sorted(told)).order_by("row"):
        answer = told[item.row]
        value = {field["name"]: _with_strength(field, answer.value, answer.confidence)}
        try:
            task_types.validate_part(definition, value, content_of(item.text, item.data))
        except task_types.InvalidValue:
            continue
        suggestions.append((item.pk, value, answer.confidence, answer.scores))
    labeller = labellers.model(project, key=str(model.uuid), name=str(model))
    prelabels.store(project, labeller, suggestions)


def _told(model: ModelVersion, wanted: set[int]) -> dict[int, Answer]:
    """Row -> answer, of the items wanted that it has answered."""
    read = tuning.read_answers if tuning.is_tuned(model) else predictions.read_answers
    columns = Column.objects.filter(
        project=model.project, kind=Column.Kind.PROBABILITY, model_key=str(model.uuid)
    ).select_related("artifact")
    told: dict[int, Answer] = {}
    for column in columns:
        told |= read(artifacts.path(column.artifact), wanted) or {}
    return told


def _with_strength(field: Mapping[str, Any], answer: Any, confidence: float) -> Any:
    """A ranking says how much better the best is, where the schema asks for it: the likelier it is better, from
    1/2 to 1, the later of the strengths, which stand from weak to strong.
    """
    strengths = field.get("strengths") or ()
    if not isinstance(answer, Mapping) or "ranking" not in answer or not strengths:
        return answer
    step = int((confidence - 0.5) * 2 * len(strengths))
    return {**answer, "strength": strengths[max(0, min(len(strengths) - 1, step))]["id"]}
