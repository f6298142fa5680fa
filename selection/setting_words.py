"""Words for the settings of strategies that people meet: a name, what the figure does, its choices. Those of
learners stand in `training.setting_words`.

A setting or a choice without words, such as one of a deployment's own strategy, shows its own name.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training import setting_words as of_learners

_UNCERTAINTY = _("Uncertainty is taken as")
_DIFFERENT = _("Keep away from labelled items too")
_MEASURES: dict[str, str | Promise] = {
    "margin": _("closeness of the two likeliest labels (margin)"),
    "least_confidence": _("doubt in the likeliest label (least confidence)"),
    "entropy": _("spread over all labels (entropy)"),
    "ratio": _("second likeliest over likeliest (ratio)"),
}

WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "skip_share": (_("Skip the most unsure"), _("Share of the most uncertain items left out: mostly noise.")),
    "percentile": (_("Percentile"), _("What lies above it is the tail that items are drawn from.")),
    "alpha": (
        _("Weight of uncertainty"),
        _("α: where the model cannot decide. Only the ratio of the three counts."),
    ),
    "beta": (_("Weight of diversity"), _("β: unlike what is labelled or picked already.")),
    "gamma": (_("Weight of hardness"), _("γ: near to labelled items that models get wrong.")),
    "moving_rounds": (
        _("Rounds until the last weights"),
        _("Over so many rounds the weights go in a straight line to the last ones; 0 lets them stay."),
    ),
    "last_alpha": (_("Last weight of uncertainty"), ""),
    "last_beta": (
        _("Last weight of diversity"),
        _("Usually less than at first: by then the kinds of text are known."),
    ),
    "last_gamma": (
        _("Last weight of hardness"),
        _("Usually more than at first: by then there are losses to go by."),
    ),
    "uncertainty": (_UNCERTAINTY, ""),
    "relevance": (_UNCERTAINTY, ""),
    "relevance_share": (_("Relevance against diversity"), _("1: uncertainty alone; 0: diversity alone.")),
    "committee": (
        _("Who disagrees"),
        _(
            "Earlier versions need two models; draws with dropout leave out other parts of a fine-tuned model "
            "each time, for the 2,000 items that it is least sure of."
        ),
    ),
    "disagreement": (
        _("Disagreement is taken as"),
        _("By all probabilities, or by the likeliest label of each."),
    ),
    "scaling": (
        _("Scale of the parts"),
        _("How each part is brought into 0 to 1: by quantiles or by ranks."),
    ),
    "density_share": (
        _("Weight of density"),
        _(
            "So much of its score an item in the void loses, so that noise is not picked for being odd; 0 to 1."
        ),
    ),
    "balance": (_("Balance of classes"), _("0: off; 1: items of a class count by its inverse frequency.")),
    "value_per_second": (
        _("Value per second"),
        _(
            "Scores are divided by the seconds that labelling is expected to take: by length of text, as in "
            "past work."
        ),
    ),
    "class_share": (
        _("Most of one class"),
        _("Share of the batch that may be predicted to be of one class; 1: any."),
    ),
    "source_share": (_("Most of one source"), _("Share of the batch that may come from one source; 1: any.")),
    "count_labelled": (_DIFFERENT, ""),
    "candidates_per_pick": (
        _("Candidates a pick"),
        _("So many of the best items are looked at for each pick."),
    ),
    "width": (
        _("Reach of likeness"),
        _("The cosine distance at which likeness has fallen to 37 %: larger asks for picks more unlike."),
    ),
    "of_each": (_("Item of each cluster"), _("The most typical or the most uncertain one.")),
    "clusters": (_("Clusters"), _("0: as many as picks.")),
    "quota": (_("Picks a cluster"), _("The same for each, or by its size.")),
    "most_clusters": (_("Clusters at most"), ""),
    "random_share": (_("Random share"), _("The rest is spread over clusters.")),
    "neighbours": (_("Neighbours"), _("Items whose likeness to an item counts.")),
    "enough_share": (_("Enough"), _("An item has enough at this share of its neighbours' similarity.")),
    "redundancy": (_("Weight of redundancy"), _("How much likeness among the picked costs.")),
}

CHOICES: dict[str, dict[str, str | Promise]] = {
    "uncertainty": _MEASURES,
    "relevance": _MEASURES,
    "disagreement": {
        "bald": _("what they do not share of their doubt (BALD)"),
        "consensus_kl": _("how far each is from their mean (KL to the consensus)"),
        "vote_entropy": _("how evenly their votes are spread"),
        "variation_ratio": _("how many vote against the majority"),
        "pairwise": _("how many pairs of them differ"),
    },
    "committee": {
        "versions": _("earlier versions of the model"),
        "dropout": _("the model itself, with dropout (MC dropout)"),
    },
    "scaling": {"rank": _("by ranks"), "quantile": _("by quantiles")},
    "of_each": {"typical": _("the most typical"), "uncertain": _("the most uncertain")},
    "quota": {"equal": _("the same for each"), "size": _("by its size")},
}


def words_of(owner: str, setting: str) -> tuple[str | Promise, str | Promise]:
    """Name and help of a setting of a strategy or learner."""
    return WORDS.get(setting) or of_learners.words_of(owner, setting)


def choice_name(setting: str, choice: str) -> str | Promise:
    return CHOICES.get(setting, of_learners.CHOICES.get(setting, {})).get(choice, choice)
