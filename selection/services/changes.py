"""How many predictions the model of a round has changed: what people who know the one before would notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from accounts.figures import percent
from selection.models import Column, Round
from selection.programs import columns
from selection.selectors import column_files
from selection.strategies.disagreement import churn
from training.models import ModelVersion
from training.selectors import models

LOOKED_AT = 20  # earlier models
MOST = 100_000  # items compared; more of them are sampled evenly


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Share of the items that both models have scored, whose likeliest label is not that of model `before`."""

    share: float
    items: int
    before: int


def of_model(round_: Round, order: dict[str, Any]) -> Changed | None:
    """Against the newest earlier model of the same labels, over the pool of the pick; None where none has scored
    any of it.
    """
    model = round_.model
    if model is None or not models.gives_labels(model) or not order.get("probabilities"):
        return None
    rows = np.load(order["rows"])
    earlier = ModelVersion.objects.filter(project=model.project, number__lt=model.number).order_by("-number")
    for one in earlier[:LOOKED_AT]:
        if one.labels != model.labels:
            continue
        shards = column_files.shards(model.project, Column.Kind.PROBABILITY, str(one.uuid))
        both = rows[np.isin(rows, columns.held(shards))]
        if len(both):
            both = both[:: -(-len(both) // MOST)]
            share = churn(columns.gather(shards, both), columns.gather(order["probabilities"], both))
            return Changed(share=share, items=len(both), before=one.number)
    return None


def note(changed: Changed | None) -> str:
    if changed is None:
        return ""
    return _("The model answers %(share)s of %(items)s items otherwise than m%(before)s did.") % {
        "share": percent(changed.share, 1),
        "items": f"{changed.items:,}",
        "before": changed.before,
    }
