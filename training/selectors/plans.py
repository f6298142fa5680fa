"""How a model would be spread over a machine, before anything is bought or launched: see distributed.plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from accounts.sentences import SentenceError, gettext_noop
from training import plan_words
from training.distributed.plan import Plan
from training.distributed.shape import ATTENTION_DROPS, Shape
from training.learning import base_folder

_TIED = (
    "gpt2",
    "gpt_bigcode",
    "gemma",
    "gemma2",
    "gemma3_text",
)  # whose configuration leaves out that it is so
CLASSES = 2  # of an encoder whose task is not known


# What configurations call the share that is dropped elsewhere: BERT's, DistilBERT's, GPT-2's two.
_DROPS = ("hidden_dropout_prob", "dropout", "resid_pdrop", "embd_pdrop")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Bytes of one rank, and what for."""

    name: str
    bytes: int


def shape_of(folder: Path, sequence: int) -> Shape:
    """The shape of the model in a folder, by its configuration and the headers of its weights; no torch.

    Args:
        sequence: tokens of an item, padding included.

    Raises:
        BadFolder: it holds no model that can be trained here.
        SentenceError: its configuration does not say how wide it is.
    """
    found = base_folder.examine(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    named = {
        name: next((int(config[key]) for key in keys if config.get(key)), None)
        for name, keys in {
            "layers": ("num_hidden_layers", "n_layer", "n_layers"),
            "hidden": ("hidden_size", "n_embd", "dim"),
            "vocabulary": ("vocab_size",),
            "intermediate": ("intermediate_size", "n_inner", "hidden_dim"),
        }.items()
    }
    shared = base_folder.shared_of(config)
    named |= {"heads": shared.heads or None, "kv_heads": shared.kv_heads}
    if lacking := [name for name in ("layers", "hidden", "heads", "vocabulary") if named[name] is None]:
        raise SentenceError(
            gettext_noop(
                "%(path)s does not say in config.json how many %(lacking)s it has: give them by hand"
            ),
            path=folder,
            lacking=", ".join(lacking),
        )
    return Shape(
        parameters=found.parameters,
        sequence=sequence,
        gated="rms_norm_eps" in config,
        outputs=CLASSES if found.is_encoder else None,
        per_token=not found.is_encoder,
        tied=not found.is_encoder
        and bool(config.get("tie_word_embeddings", config.get("model_type") in _TIED)),
        dropout=any(config.get(key) for key in _DROPS),
        attention_dropout=any(config.get(key) for key in ATTENTION_DROPS),
        **named,  # type: ignore[arg-type]
    )


def memory(plan: Plan) -> list[Part]:
    """What a rank holds at the peak of a step; the last is the whole, of which gradients and activations may be
    one after the other."""
    names = ("weights", "gradients", "optimizer", "activations", "working", "host", "total")
    return [Part(name=name, bytes=getattr(plan.memory, name)) for name in names]


def sent(plan: Plan) -> list[Part]:
    """What a rank sends in a step."""
    names = ("data", "tensor", "pipeline", "total")
    return [Part(name=name, bytes=getattr(plan.traffic, name)) for name in names]


def reasons(plan: Plan) -> list[str]:
    """Why it is this plan, in the reader's language."""
    return [plan_words.in_words(reason.to_json()) for reason in plan.reasons]
