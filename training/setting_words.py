"""Words for the settings of learners and runs that people meet: a name, what the figure does, its choices.

A setting or a choice without words shows its own name.
"""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
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
        _("Where two tasks pull against each other, each gives way (PCGrad)."),
    ),
    "surgery_tasks": (
        _("Tasks of the surgery"),
        _("Other than what is new and learnt again: parts of the question, at most eight groups of them."),
    ),
    "c": (_("Fit (C)"), _("Inverse strength of the regularisation: larger fits the labels closer.")),
    # of runs alone
    "objective": (_("What is learnt"), ""),
    "seed": (_("Seed"), ""),
    "save_every": (_("Steps between checkpoints"), ""),
    "base": (_("Base model"), ""),
    # what the search for faster settings changes
    "threads": (_("Threads"), ""),
    "micro_batch": (_("Items at once"), ""),
    "workers": (_("Processes that prepare batches"), ""),
    "prefetch": (_("Batches prepared ahead"), ""),
    "compile": (_("Compiled encoder"), ""),
}

_PRECISIONS: dict[str, str | Promise] = {
    "auto": _("as the machine is best at"),
    "fp32": _("32 bits"),
    "bf16": _("16 bits (bfloat16)"),
}
CHOICES: dict[str, dict[str, str | Promise]] = {
    "objective": {
        "classification": _("one label of several"),
        "multilabel": _("several labels, each yes or no"),
        "hierarchy": _("a label of a tree"),
        "spans": _("spans of text"),
        "rating": _("points on scales"),
        "sft": _("written responses (SFT)"),
        "dpo": _("preferences, by the model itself (DPO)"),
        "reward": _("preferences, by a model that scores (reward)"),
        "grpo": _("replies that score better (GRPO)"),
    },
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
        "tp_zero3": _("layers divided among a few, weights among the rest (tensor parallel × ZeRO 3)"),
    },
    "tagging": {"bio": _("beginnings (BIO)"), "bilou": _("beginnings and ends (BILOU)")},
    "surgery_tasks": {
        "increment": _("what is new, and what is learnt again"),
        "dimensions": _("dimensions of a rating"),
        "levels": _("levels of a label tree"),
        "labels": _("several labels, each yes or no"),
    },
    "start_from": {"base": _("the base model"), "deployed": _("go on with the deployed model")},
    "preferences": {"dpo": _("by the model itself (DPO)"), "reward": _("by a model that scores (reward)")},
    "adapter": {"lora": _("a small adapter (LoRA)"), "full": _("all weights")},
}


def plain(setting: str) -> tuple[str, str]:
    return setting.replace("_", " ").capitalize(), ""


def words_of(owner: str, setting: str) -> tuple[str | Promise, str | Promise]:
    """Name and help of a setting of a learner."""
    return WORDS.get(f"{owner}.{setting}") or WORDS.get(setting) or plain(setting)


def value_words(setting: str, value: Any) -> Any:
    """A setting's value as people read it: the words of a choice, yes and no, a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    return CHOICES.get(setting, {}).get(value, value) if isinstance(value, str) else value
