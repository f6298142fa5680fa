"""Matrices cut among ranks: tensor parallelism after Megatron-LM (Shoeybi et al. 2019), by DTensor.

The first matrix of a pair is cut by columns (each rank has some heads, or some of the hidden units), the
second by rows; one sum over ranks follows each pair, in the forward and in the backward pass. Of a LoRA adapter
the factor on the side that is cut is cut with its matrix: the second factor by columns, or the first by rows.
"""

from __future__ import annotations

from collections.abc import Iterator

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

_INSIDE = ("self_attn.", "mlp.", "attention.", "intermediate.")
_AFTER = ("LayerNorm.weight", "LayerNorm.bias")  # of BERT's sums, behind what is cut


def split_matrices(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Cut the attention and feed-forward matrices of every layer over a mesh of one dimension.

    Embeddings, norms, heads and the other factor of each adapter stay whole on every rank; their gradients come
    out equal there, as long as what drops out falls alike.

    Raises:
        ValueError: layers of an unknown family, or with other weights than matrices where they are cut; or heads
            that cannot be shared evenly.
    """
    layers = blocks(model)
    plan = _plan(layers[0])
    check_heads(model, mesh.size())
    for layer in layers:
        _refuse_others(layer, plan)
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
    modules = dict(layer.named_modules())
    for columns, rows in _PAIRS:
        if modules.keys() >= {*columns, *rows}:
            return {
                **{part: ColwiseParallel() for name in columns for part in _cut(name, modules, "lora_B")},
                **{part: RowwiseParallel() for name in rows for part in _cut(name, modules, "lora_A")},
            }
    known = " or ".join(columns[0] for columns, _ in _PAIRS)
    raise ValueError(
        f"found a layer {type(layer).__name__} without known matrices, expected {known}: "
        "tensor parallelism knows the Llama and BERT families; use zero3 for others"
    )


def _refuse_others(layer: nn.Module, plan: dict[str, ParallelStyle]) -> None:
    """Weights that are used between cut matrices (Qwen3's norms of queries and keys) see a part of the heads on
    each rank: their gradients would have to be summed, which nobody does.
    """
    for name, value in layer.named_parameters():
        inside = name.startswith(_INSIDE) and not name.endswith(_AFTER)
        cut = any(name.startswith(f"{part}.") for part in plan)
        whole_factor = ".lora_A." in name or ".lora_B." in name
        if inside and value.requires_grad and not cut and not whole_factor:
            raise ValueError(
                f"found {name} in a layer {type(layer).__name__}, which learns between matrices that are cut: "
                "tensor parallelism has no sum for its gradient; use zero3, or an adapter"
            )


def _cut(name: str, modules: dict[str, nn.Module], factor: str) -> Iterator[str]:
    """What is cut of a matrix: itself, or under PEFT's adapters the matrix below them and a factor of each."""
    if f"{name}.base_layer" not in modules:
        yield name
        return
    yield f"{name}.base_layer"
    yield from (part for part in modules if part.startswith(f"{name}.{factor}."))
