"""Layers dealt out to stages that work like an assembly line, by torch.distributed.pipelining.

GPipe (Huang et al. 2019) runs all forward passes, then all backward ones; 1F1B (Narayanan et al. 2019) turns
back as soon as it can, so a stage holds the activations of at most `stages` micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from training.distributed.layout import Schedule


class Stage(nn.Module):
    """Some layers of a decoder, with the embedding before the first and norm and head behind the last.

    Parameters keep the names they have in the whole model.
    """

    def __init__(self, model: Any, first: int, last: int) -> None:
        """Layers `first` up to and without `last`; takes the modules out of `model`, a causal LM of the Llama
        family (an embedding, `layers`, a norm and a rotary embedding under `.model`, and `.lm_head`).
        """
        super().__init__()
        whole = model.model
        self.config = model.config
        self.is_first, self.is_last = first == 0, last == len(whole.layers)
        self.model = nn.Module()
        # A module list that begins at `first` would rename its layers; a dict keeps the names.
        self.model.layers = nn.ModuleDict({str(i): whole.layers[i] for i in range(first, last)})
        self.model.rotary_emb = whole.rotary_emb
        if self.is_first:
            self.model.embed_tokens = whole.embed_tokens
        if self.is_last:
            self.model.norm = whole.norm
            self.lm_head = model.lm_head

    def forward(self, inputs: Tensor) -> Tensor:
        """ids (b, s) in the first stage, hidden states (b, s, h) in others -> hidden states, at last logits."""
        hidden = self.model.embed_tokens(inputs) if self.is_first else inputs  # type: ignore[operator]
        positions = torch.arange(hidden.shape[1], device=hidden.device).unsqueeze(0)
        rotary = self.model.rotary_emb(hidden, position_ids=positions)  # type: ignore[operator]
        layers = self.model.layers
        assert isinstance(layers, nn.ModuleDict)
        for layer in layers.values():
            hidden = layer(hidden, position_embeddings=rotary, position_ids=positions, use_cache=False)
        if not self.is_last:
            return hidden
        return self.lm_head(self.model.norm(hidden))  # type: ignore[operator]


def cut(model: nn.Module, index: int, stages: int) -> Stage:
    """Stage `index` of `stages`; layers are dealt out evenly, the first stages take what is left over.

    Raises:
        ValueError: fewer layers than stages, a model of another build, or one whose head is its embedding
            (the two would stand in different stages).
    """
    config: Any = getattr(model, "config", None)
    if not all(hasattr(getattr(model, "model", None), name) for name in ("embed_tokens", "layers", "norm")):
        raise ValueError(
            f"found {type(model).__name__}, expected a causal language model of the Llama family: "
            "pipelines know no other; use FSDP2"
        )
    if getattr(config, "tie_word_embeddings", False):
        raise ValueError(
            "found a head that shares its weights with the embedding: they would stand in different stages; "
            "set tie_word_embeddings to false, or use FSDP2"
        )
    layers = len(model.model.layers)  # type: ignore[union-attr,arg-type]
    if layers < stages:
        raise ValueError(f"found {layers} layers for {stages} stages, expected one each at least")
    sizes = [layers // stages + (at < layers % stages) for at in range(stages)]
    return Stage(model, sum(sizes[:index]), sum(sizes[: index + 1]))


def assembly_line(
    stage: nn.Module,
    *,
    index: int,
    stages: int,
    micro_batches: int,
    schedule: Schedule,
    loss: Callable[[Tensor, Tensor], Tensor],
    device: torch.device,
    group: dist.ProcessGroup,
) -> ScheduleGPipe | Schedule1F1B:
    """The schedule that runs a stage (wrapped or not). `loss` gives sums, so nothing is scaled.

    Raises:
        ValueError: fewer micro-batches than stages under 1F1B, which torch refuses late.
    """
    if schedule == "1f1b" and micro_batches < stages:
        raise ValueError(
            f"found {micro_batches} micro-batches for {stages} stages, expected as many at least: "
            "raise the accumulation"
        )
    part = PipelineStage(stage, index, stages, device, group=group)
    kind = ScheduleGPipe if schedule == "gpipe" else Schedule1F1B
    return kind(part, n_microbatches=micro_batches, loss_fn=loss, scale_grads=False)
