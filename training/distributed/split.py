"""Matrices cut among ranks: tensor parallelism after Megatron-LM (Shoeybi et al. 2019), by DTensor.

The first matrix of a pair is cut by columns (each rank has some heads, or some of the hidden units), the
second by rows; one sum over ranks follows each pair, in the forward and in the backward pass.
"""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)

from training.distributed.blocks import blocks

# Names inside a layer, by family: cut by columns, cut by rows.
_PAIRS = (
    (
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"),
        ("self_attn.o_proj", "mlp.down_proj"),
    ),  # Llama, Mistral, Qwen, SmolLM
    (
        ("attention.self.query", "attention.self.key", "attention.self.value", "intermediate.dense"),
        ("attention.output.dense", "output.dense"),
    ),  # BERT, RoBERTa, MiniLM
)


def split_matrices(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Cut the attention and feed-forward matrices of every layer over a mesh of one dimension.

    Embeddings, norms and heads stay whole on every rank; their gradients come out equal there.

    Raises:
        ValueError: layers of an unknown family, or heads that cannot be shared evenly.
    """
    layers = blocks(model)
    plan = _plan(layers[0])
    check_heads(model, mesh.size())
    for layer in layers:
        parallelize_module(layer, mesh, plan)
    return model


def check_heads(model: nn.Module, ranks: int) -> None:
    """Raises ValueError where attention heads (or key-value heads) cannot be shared evenly."""
    config = getattr(model, "config", None)
    heads = getattr(config, "num_attention_heads", ranks)
    shared = getattr(config, "num_key_value_heads", None) or heads
    if heads % ranks or shared % ranks:
        raise ValueError(
            f"found {heads} attention heads with {shared} key-value heads, expected multiples of the "
            f"{ranks} ranks that cut each matrix: use fewer"
        )


def _plan(layer: nn.Module) -> dict[str, ParallelStyle]:
    names = {name for name, _ in layer.named_modules()}
    for columns, rows in _PAIRS:
        if names.issuperset((*columns, *rows)):
            return {
                **{name: ColwiseParallel() for name in columns},
                **{name: RowwiseParallel() for name in rows},
            }
    known = " or ".join(columns[0] for columns, _ in _PAIRS)
    raise ValueError(
        f"found a layer {type(layer).__name__} without known matrices, expected {known}: "
        "tensor parallelism knows the Llama and BERT families; use FSDP2 for others"
    )
