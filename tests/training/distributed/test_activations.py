"""What layers keep for their backward pass, against torch's own saved tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import transformers
from torch.distributed._functional_collectives import AsyncCollectiveTensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from tests.forked import Ranks
from training.distributed import activations
from training.distributed.activations import Widths
from training.distributed.footprint import AUTOCAST, FP32, FROZEN_BF16, GAPS, HEAP, Precision, footprint
from training.distributed.layout import Layout
from training.distributed.shape import Shape
from training.distributed.split import split_matrices
from training.distributed.spread import local
from training.learning import language_base
from training.objectives.language import SFT

ITEMS, LENGTH = 3, 24
SIZES = dict(vocab_size=90, hidden_size=64, num_hidden_layers=3, num_attention_heads=4)


def llama() -> Any:
    torch.manual_seed(0)
    sizes = {**SIZES, "intermediate_size": 160, "num_key_value_heads": 2}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))


def bert(dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    drop = dict(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    return transformers.BertModel(transformers.BertConfig(**SIZES, intermediate_size=256, **drop))


def adapted(dropout: float, dtype: torch.dtype = torch.float32) -> Any:
    return language_base.with_adapter(llama().to(dtype), SFT, 4, 8, dropout)


def kept(model: Any, half: bool) -> float:
    """Bytes a token that the middle layer keeps, weights and their copies left out."""
    model.train()
    ids = torch.randint(0, 90, (ITEMS, LENGTH), generator=torch.Generator().manual_seed(1))
    body = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers = body.encoder.layer if hasattr(body, "encoder") else body.model.layers
    held = [local(value) for value in [*model.parameters(), *model.buffers()]]
    weights = {value.untyped_storage().data_ptr() for value in held}
    sizes = {tuple(value.shape) for value in held}
    sizes |= {shape[::-1] for shape in sizes}  # of copies of weights
    seen: dict[int, tuple[torch.Tensor, bool]] = {}
    at = [-1]
    for number, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda *_given, number=number: at.__setitem__(0, number))

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        part: Any = local(tensor)
        if isinstance(part, AsyncCollectiveTensor):  # a sum over ranks that is under way
            part = part.wait()
        place = part.untyped_storage().data_ptr()
        if place not in weights and place not in seen and tuple(part.shape) not in sizes:
            seen[place] = (part, at[0] == 1)
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    found = sum(tensor.untyped_storage().nbytes() for tensor, is_ours in seen.values() if is_ours)
    return found / (ITEMS * LENGTH)


CASES: dict[str, tuple[Any, Precision]] = {
    "llama fp32": (llama, FP32),
    "llama bf16": (llama, AUTOCAST),
    "bert fp32": (bert, FP32),
    "bert bf16": (bert, AUTOCAST),
    "bert fp32 dropout": (lambda: bert(0.1), FP32),
    "bert bf16 dropout": (lambda: bert(0.1), AUTOCAST),
    "lora fp32": (lambda: adapted(0.0), FP32),
    "lora fp32 dropout": (lambda: adapted(0.1), FP32),
    "lora bf16": (lambda: adapted(0.0, torch.bfloat16), FROZEN_BF16),
    "lora bf16 dropout": (lambda: adapted(0.1, torch.bfloat16), FROZEN_BF16),
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_layer_keeps_what_is_counted(name: str) -> None:
    make, precision = CASES[name]
    model = make()
    counted = activations.of_layer(Shape.of(model, LENGTH), precision.widths, "cpu")
    assert kept(model, half=precision is not FP32) == pytest.approx(counted, rel=0.03)


def of_cut_layers(path: str) -> None:
    """What each of two ranks does: the same with matrices that they cut among themselves."""
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    found: dict[str, Any] = {}
    for name, (make, precision) in CASES.items():
        model = make()
        shape = Shape.of(model, LENGTH)
        split_matrices(model, mesh)
        counted = activations.of_layer(shape, precision.widths, "cpu", tensor=2)
        found[name] = {
            "kept": kept(model, half=precision is not FP32),
            "counted": counted,
            "gradients": whole_gradients(model, half=precision is not FP32),
        }
    Path(f"{path}-{dist.get_rank()}").write_text(json.dumps(found))
    dist.destroy_process_group()


def whole_gradients(model: Any, half: bool) -> dict[str, float]:
    """Lengths of the gradients of what is not cut, where ranks draw by the same seed what drops out."""
    torch.manual_seed(3)
    ids = torch.randint(0, 90, (ITEMS, LENGTH))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        told = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    told[0].float().pow(2).mean().backward()
    return {
        name: float(value.grad.float().norm())
        for name, value in model.named_parameters()
        if value.grad is not None and not isinstance(value.grad, DTensor)
    }


@pytest.mark.slow
@pytest.mark.xdist_group("layouts")
def test_a_cut_layer_keeps_what_is_counted_and_ranks_agree_on_what_is_whole(
    ranks: Ranks, tmp_path: Path
) -> None:
    ranks.run(2, f"{__name__}:of_cut_layers", str(tmp_path / "kept"))
    first, second = (json.loads((tmp_path / f"kept-{rank}").read_text()) for rank in (0, 1))
    assert first.keys() == second.keys() == CASES.keys()
    for name, found in first.items():
        assert found["kept"] == second[name]["kept"] == pytest.approx(found["counted"], rel=0.03), name
        assert found["gradients"] == pytest.approx(second[name]["gradients"], rel=1e-6), name
        assert len(found["gradients"]) > 6 and max(found["gradients"].values()) > 0, name


def test_the_shape_of_a_model_knows_its_dropout_and_its_adapters() -> None:
    dry, wet = Shape.of(bert(), LENGTH), Shape.of(bert(0.1), LENGTH)
    assert not (dry.dropout or dry.attention_dropout)
    assert wet.dropout and wet.attention_dropout
    plain, learnt = Shape.of(llama(), LENGTH), Shape.of(adapted(0.1), LENGTH)
    assert (plain.adapted, plain.dropout) == (0, False)
    assert (learnt.adapted, learnt.dropout) == (4, True)
    assert learnt.learning < 0.3 * learnt.parameters


def test_a_head_in_tiles_keeps_no_logits() -> None:
    widths = Widths(product=2, norm=4)
    whole, tiled = Shape.of(llama(), LENGTH), Shape.of(llama(), LENGTH, tile=30)
    assert activations.of_head(whole, 100, widths, "cpu") == 3 * 4 * 100 * 90
    weights = 4 * 90 * 64  # their gradient
    beside = 4 * 100 * 64 + weights
    assert activations.of_head(tiled, 100, widths, "cpu") == 31 * 100 * 30 + beside
    assert activations.of_head(tiled, 100, widths, "cuda") == 2 * 100 * 30 + beside
    assert activations.of_head(tiled, 5000, widths, "cuda") == 2 * 4096 * 30 + 4 * 5000 * 64 + weights
    frozen = Shape.of(adapted(0.0, torch.bfloat16), LENGTH, tile=30)
    assert activations.of_head(frozen, 100, widths, "cuda") == 2 * 100 * 30 + 6 * 100 * 64
    assert activations.of_head(Shape.of(bert(), LENGTH, outputs=3), 100, widths, "cpu") == 0


def test_masks_and_plain_attention_are_a_cpus() -> None:
    shape, widths = Shape.of(bert(0.1), LENGTH), Widths(product=4, norm=4)
    dry = Shape.of(bert(), LENGTH)
    on_gpu = activations.of_layer(shape, widths, "cuda")
    assert on_gpu == activations.of_layer(dry, widths, "cuda") + 2 * 64
    assert activations.of_layer(shape, widths, "cpu") == on_gpu - 2 * 64 + 4 * (2 * 64 + 3 * 4 * LENGTH)


@pytest.mark.parametrize("shard", [1, 2])
def test_what_the_allocator_keeps_free_counts_on_a_cpu(shard: int) -> None:
    shape = Shape.of(bert(), LENGTH, outputs=3)
    layout = Layout(micro_batch=8, shard=shard, zero=3 if shard > 1 else 0)
    host, device = (footprint(shape, layout, FP32, kind) for kind in ("cpu", "cuda"))  # type: ignore[arg-type]
    assert host.activations == device.activations
    gathered = 4 * 3 * shape.layer if shard > 1 else 0
    assert host.working - device.working == pytest.approx(
        int(GAPS * host.activations) + HEAP + gathered, abs=12
    )


@pytest.mark.parametrize("again", ["none", "full"])
def test_autocast_keeps_a_copy_of_the_matrices(again: Any) -> None:
    shape, layout = Shape.of(bert(), LENGTH, outputs=3), Layout(micro_batch=1, checkpointing=again)
    more = footprint(shape, layout, AUTOCAST, "cuda").activations
    none = footprint(shape, layout, Precision(**{**vars(AUTOCAST), "copy": 0}), "cuda").activations
    assert more - none == pytest.approx(2 * 3 * (shape.layer - shape.norms), abs=1)
