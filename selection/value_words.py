"""Words for how labels are valued and pushed over a boundary."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# name, and what a label's figure means
METHODS: dict[str, tuple[str | Promise, str | Promise]] = {
    "": (
        _("all evidence together"),
        _("Ranks by KNN-Shapley and by held-out loss, averaged: the order in which to clean."),
    ),
    "value": (
        _("KNN-Shapley"),
        _("What the label adds to a vote of nearest neighbours on held-out items; below 0 it misleads."),
    ),
    "influence": (
        _("influence"),
        _("How much the held-out loss would rise without the label; below 0 it would fall."),
    ),
    "tracin": (
        _("TracIn"),
        _("How far steps of training on the label have lowered the held-out loss; below 0 they raised it."),
    ),
    "gradient_similarity": (
        _("gradient similarity"),
        _("Whether the label pulls the model the way held-out items do: 1 the same way, −1 against."),
    ),
    "data_shapley": (
        _("data Shapley"),
        _("What the label adds to a model retrained with it, averaged over random orders of all labels."),
    ),
    "loss": (
        _("held-out loss"),
        _("How surprised a model is that has not seen the label, the greatest first; 0 not at all."),
    ),
}

ATTACKS: dict[str, str | Promise] = {
    "flip": _("the smallest that changes the answer"),
    "fgsm": _("one step up the loss (FGSM)"),
    "pgd": _("many steps up the loss (PGD)"),
}
