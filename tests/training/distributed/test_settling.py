from __future__ import annotations

from typing import Any

import pytest
import torch.distributed as dist
import transformers

from training.distributed import split
from training.distributed.blocks import blocks
from training.distributed.layout import CUT_FAMILIES, Layout, Shared, check_name, check_ranks, cuts
from training.distributed.plan import explain
from training.distributed.settling import settle
from training.distributed.shape import GB, Machine, Shape

BILLION = Shape(
    parameters=10**9, layers=16, hidden=2048, heads=16, vocabulary=32_000, sequence=64, gated=True
)  # 16 GB with Adam in fp32


def gpus(memory: float, host: float = 100) -> Machine:
    return Machine(kind="cuda", devices=4, per_node=4, memory=int(memory * GB), host=int(host * GB))


@pytest.mark.parametrize(
    ("memory", "name"),
    [
        (40, "DDP 4"),
        (14, "ZeRO-1 4"),
        (10, "FSDP2 4 (ZeRO-2)"),
        (6, "FSDP2 4 (ZeRO-3)"),
        (3, "FSDP2 4 (ZeRO-3) · CPU offload"),
    ],
)
def test_auto_divides_no_more_than_it_must_and_takes_the_host_last(memory: float, name: str) -> None:
    plan = settle("auto", 4, BILLION, gpus(memory), 4)
    assert plan.layout.name == name
    assert ("offload" in [reason.code for reason in plan.reasons]) == plan.layout.offload


def test_auto_leaves_the_host_alone_where_it_has_no_room_or_is_the_device() -> None:
    assert settle("auto", 4, BILLION, gpus(3, host=8), 4).layout.name == "FSDP2 4 (ZeRO-3)"
    cpu = Machine(kind="cpu", devices=4, per_node=4, memory=3 * GB, host=100 * GB)
    assert settle("auto", 4, BILLION, cpu, 4).layout.name == "FSDP2 4 (ZeRO-3)"
    assert settle("auto", 4, BILLION, gpus(3), 4, copies=True).layout.name == "DDP 4"


def test_what_was_asked_for_is_not_said_to_be_needed() -> None:
    codes = [reason.code for reason in settle("zero3_offload", 4, BILLION, gpus(10), 4).reasons]
    assert "offload_asked" in codes and "offload" not in codes


def test_a_single_process_is_undivided_unless_it_waits_in_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle("zero3", 1, BILLION, gpus(40), 4).layout.name == "one process"
    assert settle("zero3_offload", 1, BILLION, gpus(40), 4).layout.name == "one process"
    monkeypatch.setattr(dist, "is_initialized", lambda: True)  # torchrun started it
    assert settle("zero3_offload", 1, BILLION, gpus(40), 4).layout.name == "FSDP2 · CPU offload"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpipe", "layout: found gpipe, expected one of auto, .*; use zero3, or tp_zero3"),
        ("zero4", "layout: found 'zero4', expected one of auto"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "ranks", "words"),
    [
        ("hsdp", 2, "found hsdp for 2 processes, expected an even number of 4 or more"),
        ("tp_zero3", 5, "found tp_zero3 for 5 processes, expected an even number of 4 or more"),
        ("tp", 5, "found tp for 5 processes and a model with 16 attention heads"),
    ],
)
def test_processes_that_cannot_be_arranged_are_refused_and_divide_all_where_they_are_left(
    name: str, ranks: int, words: str
) -> None:
    """Refused before a run; of one that has lost machines the others go on."""
    with pytest.raises(ValueError, match=words):
        check_ranks(name, ranks, BILLION.shared)
    some = Machine(kind="cuda", devices=ranks, per_node=1, memory=40 * GB, host=100 * GB)
    plan = settle(name, ranks, BILLION, some, 70)
    assert plan.layout == settle("zero3", ranks, BILLION, some, 70).layout
    assert str(plan.reasons[0]) == (
        f"{ranks} processes cannot be arranged as {name}: weights, gradients and optimizer are divided among "
        "all of them instead."
    )
    check_ranks(name, 4, BILLION.shared)
    check_ranks(name, 1, BILLION.shared)
    assert settle(name, 4, BILLION, some, 4).reasons[0].code != "regrouped"


def test_matrices_are_cut_among_numbers_that_share_the_heads() -> None:
    assert cuts("tp", 3, Shared(heads=9, kv_heads=3)) == [3]
    assert cuts("tp_zero3", 12, Shared(heads=12, kv_heads=12)) == [2, 3, 4, 6]
    assert cuts("tp_zero3", 12, Shared(heads=12, kv_heads=12, inner=64)) == [2, 4]
    with pytest.raises(ValueError, match=r"found tp for 2 .* 9 attention heads \(3 of keys and values\)"):
        cuts("tp", 2, Shared(heads=9, kv_heads=3))
    with pytest.raises(ValueError, match="found tp_zero3 for 4 processes .*: use zero3, or other processes"):
        cuts("tp_zero3", 4, Shared(heads=9, kv_heads=3))
    with pytest.raises(ValueError, match="12 attention heads .* 65 units wide inside"):
        cuts("tp", 2, Shared(heads=12, kv_heads=12, inner=65))


@pytest.mark.parametrize("family", ["distilbert", "mpnet", "gpt2", "qwen3"])
def test_matrices_of_an_unknown_family_are_not_cut(family: str) -> None:
    with pytest.raises(ValueError, match=f"family {family}, expected one of bert, .*: use zero3"):
        check_ranks("tp", 2, Shared(heads=4, kv_heads=4, family=family))
    check_ranks("zero3", 2, Shared(family=family))


@pytest.mark.parametrize("family", CUT_FAMILIES)
def test_the_matrices_of_each_known_family_can_be_cut(family: str) -> None:
    model = tiny(family)
    assert model.config.model_type == family
    layer = blocks(model)[0]
    plan = split._plan(layer)
    split._refuse_others(layer, plan)
    assert len(plan) == (7 if family in ("llama", "mistral", "qwen2") else 6)


def test_what_learns_between_cut_matrices_is_refused_and_what_is_frozen_is_not() -> None:
    """Qwen3's norms of queries and keys see some of the heads on each rank."""
    layer = blocks(tiny("qwen3"))[0]
    plan = split._plan(layer)
    with pytest.raises(ValueError, match=r"found self_attn\.q_norm\.weight .* use zero3, or an adapter"):
        split._refuse_others(layer, plan)
    split._refuse_others(layer.requires_grad_(False), plan)


def tiny(family: str) -> Any:
    config = transformers.AutoConfig.for_model(
        family,
        **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 50},
        **{"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8},
    )
    return transformers.AutoModel.from_config(config)


def test_two_axes_cut_inside_a_box_what_is_fastest_of_what_fits() -> None:
    """Eight GPUs in two boxes or more: no matrix is cut over the slow link between them, unless each has one."""
    for inside, chosen in ((4, 4), (2, 2), (6, 2), (1, 2)):  # six: four would lie in two boxes
        boxes = Machine(kind="cuda", devices=8, per_node=inside, memory=40 * GB, host=100 * GB)
        plan = settle("tp_zero3", 8, BILLION, boxes, 8)
        layouts = [
            Layout(shard=8 // tensor, tensor=tensor, zero=3, micro_batch=tensor)
            for tensor in (2, 4)
            if inside % tensor == 0 or inside == 1 and tensor == 2
        ]
        assert plan.layout == min(layouts, key=lambda one: explain(one, BILLION, boxes).seconds)
        assert (plan.layout.tensor, plan.persist) == (chosen, 0)  # with cut matrices nothing stays whole
    assert settle("tp_zero3", 1, BILLION, boxes, 8).layout.name == "one process"


def test_compression_is_refused_beside_offload() -> None:
    with pytest.raises(ValueError, match="found topk with the layout zero3_offload, expected none"):
        check_name("zero3_offload", "topk")
