"""From picks to slots that people work on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from annotation.models import Batch, Item, Slot
from annotation.selectors import schemas
from annotation.services import batches, labellers, prelabels
from annotation.task_types import labels as label_lists
from annotation.task_types import registry as task_types
from jobs.errors import Cancelled
from jobs.services import artifacts
from selection.models import Round
from selection.selectors import picks as picks_of
from selection.selectors.picks import Picked

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
    batch = batches.publish(
        round_.project,
        [_pick(round_, pick) for pick in picks],
        origin=origin,
        title=_("Round %(number)s") % {"number": round_.number},
        note=station,
    )
    if not Round.objects.filter(pk=round_.pk).exclude(state=Round.State.CANCELLED).update(batch=batch):
        batches.take_back(batch)
        raise Cancelled
    return batch


def _pick(round_: Round, pick: Picked) -> batches.Pick:
    note = _("drawn at random, to measure what picking gains") if pick.is_control else ""
    return batches.Pick(
        row=pick.row,
        purpose=Slot.Purpose.CONTROL if pick.is_control else Slot.Purpose.LABEL,
        design="random" if pick.is_control else round_.spec["strategy"],
        inclusion_probability=pick.inclusion_probability,
        explanation={"parts": pick.parts, "round": round_.number, "note": note},
    )


def suggest(round_: Round, picks: Sequence[Picked], probabilities: npt.NDArray[np.floating]) -> None:
    """Store the model's likeliest label for each picked item, under the model's own labeller.

    probabilities: (picks, k) of the round's model.
    """
    model = round_.model
    if model is None:
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
