"""Words for the settings of strategies and learners that people meet: a name, what the figure does, its choices.

A setting or a choice without words, such as one of a deployment's own strategy, shows its own name.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_UNCERTAINTY = _("Uncertainty is taken as")
_DIFFERENT = _("Keep away from labelled items too")
_MEASURES: dict[str, str | Promise] = {
    "margin": _("closeness of the two likeliest labels (margin)"),
    "least_confidence": _("doubt in the likeliest label (least confidence)"),
    "entropy": _("spread over all labels (entropy)"),
    "ratio": _("second likeliest over likeliest (ratio)"),
}

WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    # strategies
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
    # learners
    "epochs": (_("Epochs"), _("Passes over the data; 0 lets the amount of data decide.")),
    "patience": (
        _("Stop early after"),
        _(
            "So many checkpoints without a lower loss on the validation items; the best is kept. 0: train to "
            "the end."
        ),
    ),
    "batch_size": (_("Items a training step"), ""),
    "learning_rate": (_("Learning rate"), ""),
    "curriculum": (_("Curriculum"), _("In which order items come.")),
    "base_penalty": (
        _("Pull towards the base"),
        _("0: none; larger keeps the encoder nearer to what it began with."),
    ),
    "compression": (_("Compressed gradients"), _("What several processes send each other.")),
    "compression_share": (
        _("Share of gradients sent"),
        _("Where only the largest few are sent: 0.01 is the largest hundredth."),
    ),
    "layout": (
        _("Layout"),
        _("How processes hold the model: as copies, or ever more divided."),
    ),
    "autotune_s": (
        _("Seconds to look for faster settings"),
        _("Before training: threads, items at once, loading. What is really faster is kept; 0: none."),
    ),
    "profile_steps": (
        _("Steps looked at"),
        _("The profiler says where the time of so many steps went; 0: none."),
    ),
    # of one learner, where the word for all would be wrong
    "tune.max_length": (
        _("Longest example in tokens"),
        _("A longer one is left out whole, and counted."),
    ),
    "tune.epochs": (_("Epochs"), _("Passes over the data.")),
    "tune.learning_rate": (_("Learning rate"), _("0: chosen by what is learnt.")),
    "max_length": (_("Longest text in tokens"), _("Longer texts are cut.")),
    "processes": (
        _("Processes"),
        _("Ranks under torchrun: one for each graphics card. On a processor more than one gains nothing."),
    ),
    "preferences": (_("How preferences are learnt"), ""),
    "adapter": (_("What learns"), _("All weights need several times the memory of a small adapter.")),
    "base_model": (_("Base model"), _("One of the page “Base models”, where others are registered.")),
    "rank": (_("Rank of the adapter"), ""),
    "dpo_beta": (_("Beta of DPO"), _("Larger stays nearer to the base.")),
    "gradient_checkpointing": (
        _("Save memory"),
        _("Works out activations twice: slower, needs less memory."),
    ),
    "precision": (_("Precision"), _("auto tries which is faster on this machine.")),
    "scoring": (
        _("Precision when reading the pool"),
        _("bfloat16 is twice as fast on some machines, in the same order; auto tries it."),
    ),
    "soft_labels": (
        _("Soft labels"),
        _("Learn from how many people gave each label, where several did, instead of the final label."),
    ),
    "tagging": (_("Tags of spans"), _("Ends marked too want more data.")),
    "start_from": (
        _("Start from"),
        _("Going on means: with the deployed model, on what is new and a part of what it has learnt."),
    ),
    "replay": (
        _("Replayed share"),
        _("Going on: so much of what was learnt before is learnt again, against forgetting."),
    ),
    "gradient_surgery": (
        _("Gradient surgery"),
        _("Going on: where new and replayed items pull against each other, each gives way (PCGrad)."),
    ),
    "c": (_("Fit (C)"), _("Inverse strength of the regularisation: larger fits the labels closer.")),
}

_PRECISIONS: dict[str, str | Promise] = {
    "auto": _("as the machine is best at"),
    "fp32": _("32 bits"),
    "bf16": _("16 bits (bfloat16)"),
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
    "precision": _PRECISIONS,
    "scoring": _PRECISIONS,
    "curriculum": {
        "none": _("at random"),
        "difficulty": _("step by step harder"),
        "adaptive": _("harder or easier, as it learns"),
        "anti": _("hard ones first"),
        "competence": _("easy ones, and ever more of the others"),
    },
    "compression": {
        "none": _("everything"),
        "topk": _("the largest few only"),
        "powersgd": _("products of narrow matrices (PowerSGD)"),
        "fp16": _("half of the bits"),
        "bf16": _("half of the bits, as wide a range (bf16; GPUs only)"),
    },
    "layout": {
        "auto": _("the simplest that fits"),
        "ddp": _("copies (DDP)"),
        "zero1": _("optimizer divided (ZeRO 1)"),
        "zero2": _("gradients divided too (ZeRO 2)"),
        "zero3": _("weights divided too (ZeRO 3)"),
        "zero3_offload": _("divided, waiting in the host's memory (ZeRO 3, offload)"),
        "hsdp": _("divided within a machine, copied between (HSDP)"),
        "tp": _("every layer divided (tensor parallel)"),
    },
    "tagging": {"bio": _("beginnings (BIO)"), "bilou": _("beginnings and ends (BILOU)")},
    "start_from": {"base": _("the base model"), "deployed": _("go on with the deployed model")},
    "preferences": {"dpo": _("by the model itself (DPO)"), "reward": _("by a model that scores (reward)")},
    "adapter": {"lora": _("a small adapter (LoRA)"), "full": _("all weights")},
}


def words_of(owner: str, setting: str) -> tuple[str | Promise, str | Promise]:
    """Name and help of a setting of a strategy or learner."""
    plain = (setting.replace("_", " ").capitalize(), "")
    return WORDS.get(f"{owner}.{setting}") or WORDS.get(setting, plain)


def choice_name(setting: str, choice: str) -> str | Promise:
    return CHOICES.get(setting, {}).get(choice, choice)
