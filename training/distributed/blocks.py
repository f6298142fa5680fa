"""Finding the repeated layers of a model: what FSDP wraps, pipelines cut and checkpointing computes again."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def blocks(model: nn.Module) -> list[nn.Module]:
    """A transformer's layers: of all lists (or dicts, in a stage) of modules, the one with the most parameters.

    Raises:
        ValueError: the model has no list of layers.
    """
    lists = [
        list(module.children())
        for module in model.modules()
        if isinstance(module, (nn.ModuleList, nn.ModuleDict)) and len(module)
    ]
    if not lists:
        raise ValueError(
            f"found no list of layers in {type(model).__name__}: expected a transformer whose layers stand in "
            "an nn.ModuleList"
        )
    return max(lists, key=_size)


def _size(modules: list[nn.Module]) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())


def checkpoint_blocks(model: nn.Module, which: Iterable[int]) -> None:
    """Compute the activations of the layers numbered `which` again in the backward pass (Chen et al. 2016).

    Must come before FSDP wraps the layers. Random states are restored, so dropout falls alike.
    """
    layers = blocks(model)
    for index in which:
        layer = layers[index]
        layer.forward = _again(layer.forward)  # type: ignore[method-assign]


def _again(forward: Any) -> Any:
    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run
