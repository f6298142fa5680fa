"""Who can suggest before there is a model of one's own, for which fields, and how much at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.learning.label_words import LABEL_TYPES

DESCRIPTIONS, SMOLLM2 = "descriptions", "smollm2"  # as training.programs.suggest calls them
QUEUE, RANDOM = "queue", "random"
ORDERS: dict[str, str | Promise] = {QUEUE: _("next in the queue"), RANDOM: _("at random")}
LEAST_JUDGED = 30  # resolved items below which the temperature stays as it is


@dataclass(frozen=True, kw_only=True)
class Source:
    """`types`: field types it suggests for. `temperature`: what makes its scores probabilities until enough
    items are resolved. `judged`: resolved items it is measured on. `shard`: items a program looks at, so also
    what a killed worker loses. `most`: items of one job.
    """

    name: str
    label: str | Promise
    note: str | Promise
    types: tuple[str, ...]
    temperature: float
    judged: int
    shard: int
    most: int


SOURCES: dict[str, Source] = {
    DESCRIPTIONS: Source(
        name=DESCRIPTIONS,
        label=_("Label descriptions"),
        note=_(
            "Compares each text with the name and the description of each label. Seconds for a thousand items. "
            "It reads English: on Chinese texts it was no better than always giving the commonest label."
        ),
        types=LABEL_TYPES,
        temperature=0.05,
        judged=500,
        shard=2000,
        most=100_000,
    ),
    SMOLLM2: Source(
        name=SMOLLM2,
        label=_("SmolLM2-135M, a small language model"),
        note=_(
            "Asks a language model which label or which point is likeliest, or has it write a draft. It is weak "
            "and English only: look at how right it is before people do. Minutes for a thousand items."
        ),
        types=(*LABEL_TYPES, "rating", "response"),
        temperature=0.6,
        judged=200,
        shard=100,
        most=10_000,
    ),
}
DRAFT_SHARD = 20  # a draft takes seconds


def shard_of(source: Source, field: Mapping[str, Any]) -> int:
    """Items that one program looks at."""
    return DRAFT_SHARD if field["type"] == "response" else source.shard
