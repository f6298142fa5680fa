"""Words for strategies that people meet: the name of each, and a sentence on when it helps.

The names stand in English in the registry too, which knows no translation; a test holds the two together. A
deployment's own strategy shows the name that it gives itself.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from selection.strategies.registry import STRATEGIES

_HERDING = _(
    "Of the most uncertain items, asks for those that stand for the most others of them and that no label "
    "covers yet: one answer settles many."
)

WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "random": (
        _("Random: a uniform draw"),
        _("What every other one is measured against; its labels stand for the whole pool."),
    ),
    "entropy": (
        _("Entropy: the whole distribution is flat"),
        _("Counts every label, likely or not: beyond two labels the weakest of the uncertainties."),
    ),
    "least_confidence": (
        _("Least confidence: the likeliest label is unlikely"),
        _("Asks only how sure the model is of its first guess."),
    ),
    "margin": (
        _("Margin: the two likeliest labels are close"),
        _("Asks where the model cannot decide between two: the strongest of the uncertainties as a rule."),
    ),
    "ratio": (
        _("Ratio: the second likeliest label is nearly as likely"),
        _("Like the margin, but small probabilities count as much as great ones."),
    ),
    "margin_clipped": (
        _("Margin, passing over the few most uncertain items"),
        _("The very most uncertain are often noise: they are left out, the next ones are asked for."),
    ),
    "version_disagreement": (
        _("Disagreement of versions: the model and earlier versions of it differ"),
        _("Where the model has changed its mind from round to round, it has not settled yet."),
    ),
    "mmr": (
        _("MMR: uncertain, and unlike what is picked already"),
        _("Each pick weighs how unsure the model is against how much it resembles the picks before."),
    ),
    "k_center": (
        _("K-center: the item farthest from all that is labelled or picked"),
        _("Reaches every corner of the pool, odd items first; it does not ask the model."),
    ),
    "facility_location": (
        _("Facility location: every item has a picked or labelled one like it"),
        _("Picks what stands for the most others; it does not ask the model."),
    ),
    "saturated_coverage": (
        _("Saturated coverage: every item has several picked ones like it"),
        _("As facility location, but one likeness is not enough: several are wanted."),
    ),
    "graph_cut": (
        _("Graph cut: like many others, unlike what is picked"),
        _("Picks what is usual in the pool, and pays for repeating itself."),
    ),
    "feature_coverage": (
        _("Feature coverage: every direction of the embedding is there"),
        _("Picks so that no trait of the texts is missing; it does not ask the model."),
    ),
    "badge": (
        _("BADGE: a spread of the gradients that labels would give"),
        _("Draws items that would teach the model much, and each something else."),
    ),
    "determinantal": (
        _("Determinantal: unsure items that span a large volume"),
        _("Weighs uncertainty against likeness for the batch as a whole, not pair by pair."),
    ),
    "typiclust": (
        _("TypiClust: the most typical item of clusters without a label"),
        _("For the first few labels, when no model can say yet what it does not know."),
    ),
    "kmeans": (
        _("Clusters: the most typical item of each"),
        _("Groups the pool and asks for the middle of each group; it does not ask the model."),
    ),
    "margin_diverse": (
        _("Margin over clusters: many uncertain items, the most typical of each cluster"),
        _(
            "Takes many of the most uncertain items, groups them, and asks for one of each group: sure to be "
            "unsure, and never ten times the same."
        ),
    ),
    "herding": (
        _("Uncertainty herding: unsure items that stand for other unsure ones, unlike the labelled"),
        _HERDING,
    ),
    "hardness": (
        _("Hardness: near to labelled items that models get wrong"),
        _("Goes where labels have shown that the model fails; it needs some labels to go by."),
    ),
    "hard_tail": (
        _("Hard tail: drawn from the few per cent of greatest predicted loss"),
        _("As hardness, but by lot within the tail, so that each pick has a known probability."),
    ),
    "smallest_flip": (
        _("Smallest flip: the least push on the embedding changes the prediction"),
        _("Items that stand right at the border between two labels."),
    ),
    "blend": (
        _("Blend: uncertainty, diversity and hardness, weighted"),
        _("Its weights may move from round to round, and quotas, cost and density may be asked for."),
    ),
    "blend_published": (
        _("Blend as published: entropy, distance and loss at 0.4, 0.3, 0.3"),
        _("The formula as it was published, to compare with; the blend above does better."),
    ),
    "cold_start": (
        _("Cold start: half random, half spread over clusters"),
        _("For the first round, before there is a model."),
    ),
    "default": (
        _("Default: unsure items that stand for other unsure ones, unlike the labelled"),
        _HERDING,
    ),
}


def name_of(strategy: str) -> str:
    """What people read; a strategy that is gone since shows its key."""
    if strategy in WORDS:
        return str(WORDS[strategy][0])
    return STRATEGIES[strategy].label if strategy in STRATEGIES else strategy


def help_of(strategy: str) -> str:
    return str(WORDS[strategy][1]) if strategy in WORDS else ""


def picture_of(strategy: str) -> str:
    """The static file of its map of picks (`scripts.draw_strategies`); none for a deployment's own."""
    return f"img/strategies/{strategy}.svg" if strategy in WORDS else ""


def choices() -> list[tuple[str, str]]:
    """Key and name of every strategy, in the order of the registry."""
    return [(key, name_of(key)) for key in STRATEGIES]
