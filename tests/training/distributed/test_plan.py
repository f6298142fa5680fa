from __future__ import annotations

import os
from dataclasses import replace

import pytest

from training.distributed.footprint import (
    AUTOCAST,
    FP32,
    FROZEN_BF16,
    MIXED,
    Precision,
    footprint,
    lora_parameters,
)
from training.distributed.layout import Layout
from training.distributed.plan import MARGIN, NoFit, choose, explain, fits, layouts, measure, weights_only
from training.distributed.shape import GB, Beside, Machine, Shape

SMOL = Shape(
    parameters=134_515_008,
    layers=30,
    hidden=576,
    heads=9,
    kv_heads=3,
    intermediate=1536,
    vocabulary=49_152,
    sequence=256,
    tied=True,
)
SEVEN = Shape(
    parameters=6_738_415_616,
    layers=32,
    hidden=4096,
    heads=32,
    intermediate=11_008,
    vocabulary=32_000,
    sequence=2048,
)
SEVENTY = Shape(
    parameters=68_976_648_192,
    layers=80,
    hidden=8192,
    heads=64,
    kv_heads=8,
    intermediate=28_672,
    vocabulary=32_000,
    sequence=4096,
)
TWO_CORES = Machine(
    kind="cpu", devices=2, per_node=2, memory=12 * GB, host=24 * GB, speed=100e9, near=2e9, far=1e9
)
CLUSTER = Machine(kind="cuda", devices=32, memory=80 * GB, host=1000 * GB)


def codes(plan: object) -> list[str]:
    return [reason.code for reason in plan.reasons]  # type: ignore[attr-defined]


def test_it_takes_one_process_on_one_cpu_and_says_why() -> None:
    plan = choose(SMOL, TWO_CORES, batch=16)
    assert plan.layout.ranks == 1
    assert plan.layout.batch == 16
    assert "cpu_one" in codes(plan)
    assert plan.traffic.total == 0


def test_it_takes_one_process_a_box_where_there_are_several() -> None:
    boxes = Machine(kind="cpu", devices=8, per_node=2, memory=8 * GB, host=16 * GB, speed=100e9)
    plan = choose(SMOL, boxes, batch=16)
    assert (plan.layout.name, plan.layout.batch) == ("DDP 4", 16)
    assert [reason for reason in plan.reasons if reason.code == "cpu_one"][0].values == {"processes": 2}
    assert "16 GB" in str(plan.reasons[0])  # both processes' memory is one's


def test_a_run_of_one_process_on_one_cpu_says_why() -> None:
    here = Machine(kind="cpu", devices=1, per_node=1, memory=16 * GB, host=16 * GB, cores=2)
    plan = explain(Layout(micro_batch=16), SMOL, here)
    assert codes(plan) == ["needs", "cpu_one", "batch_one", "memory"]
    assert str(plan.reasons[1]).startswith("One process with all cores: 2 processes on one CPU share")
    alone = replace(here, cores=1)  # nothing to choose between
    assert "cpu_one" not in codes(explain(Layout(micro_batch=16), SMOL, alone))


@pytest.mark.parametrize(
    ("layout", "code"),
    [
        (Layout(shard=2, zero=2), "shard_given"),
        (Layout(shard=2, zero=3), "shard_given"),
        (Layout(shard=2, zero=3, offload=True), "offload_given"),
        (Layout(replicate=2), "copies"),
    ],
)
def test_a_layout_that_was_asked_for_is_not_said_to_be_needed(layout: Layout, code: str) -> None:
    """22 million parameters take 0.36 GB with Adam: a copy fits twice over."""
    mini = Shape(
        parameters=22_000_000, layers=6, hidden=384, heads=12, vocabulary=30_522, sequence=64, gated=False,
        outputs=3, per_token=False,
    )  # fmt: skip
    machine = replace(TWO_CORES, kind="cuda" if layout.offload else "cpu")
    plan = explain(layout, mini, machine)
    assert code in codes(plan) and "shard_must" not in codes(plan) and "offload" not in codes(plan)
    small = replace(machine, memory=GB // 3)
    tight = codes(explain(layout, mini, small))
    expected = {"shard_given": "shard_must", "offload_given": "offload_asked", "copies": "copies_tight"}
    assert expected[code] in tight


def test_what_waits_in_a_processors_memory_has_not_left_it() -> None:
    moved = Layout(shard=2, zero=3, offload=True)
    plan, beside = explain(moved, SEVEN, TWO_CORES), explain(replace(moved, offload=False), SEVEN, TWO_CORES)
    assert plan.memory == beside.memory and plan.memory.host == 0
    assert "offload_cpu" in codes(plan) and "offload_cpu" not in codes(beside)
    on_gpus = explain(moved, SEVEN, replace(TWO_CORES, kind="cuda"))
    assert on_gpus.memory.host > 0 and "offload_cpu" not in codes(on_gpus)


def test_it_copies_a_small_model_to_two_ranks_that_were_asked_for() -> None:
    plan = choose(SMOL, TWO_CORES, batch=16, fixed=True)
    assert plan.layout.name == "DDP 2"
    assert plan.memory.weights == 4 * SMOL.parameters
    assert plan.memory.optimizer == 8 * SMOL.parameters
    assert plan.memory.gradients == 4 * SMOL.parameters and plan.memory.held
    assert plan.traffic.data == 4 * SMOL.parameters  # 2 (n - 1) / n of the gradients
    assert {"cpu_fixed", "copies"} <= set(codes(plan))
    assert plan.memory.total <= 0.9 * TWO_CORES.memory


def test_it_moves_seven_billion_parameters_through_the_host_on_one_small_gpu() -> None:
    plan = choose(SEVEN, Machine(kind="cuda", devices=1, memory=24 * GB, host=128 * GB), batch=32)
    assert plan.layout.offload and plan.layout.checkpointing == "full"
    assert plan.memory.host == 16 * SEVEN.parameters // 1
    assert plan.memory.total < 0.9 * 24 * GB
    assert str(plan.reasons[0]) == (
        "6.74 billion parameters take 16 bytes each with Adam, 108 GB in all; a device has 24 GB."
    )


def test_it_names_lora_where_nothing_else_fits() -> None:
    with pytest.raises(NoFit, match=r"LoRA with rank 16 \(40 million parameters learn\) fits in \d"):
        choose(SEVEN, Machine(kind="cuda", devices=1, memory=24 * GB, host=64 * GB), batch=32)
    assert lora_parameters(SEVEN) == 32 * 16 * (4 * 2 * 4096 + 3 * (4096 + 11_008))


def test_it_shows_that_the_quoted_layout_of_seventy_billion_counts_weights_only() -> None:
    quoted = Layout(tensor=4, pipeline=2, replicate=4, micro_batch=1, accumulation=128, checkpointing="full")
    weights, with_adam = weights_only(SEVENTY, quoted)
    assert weights / GB == pytest.approx(17.2, abs=0.1)  # a fifth of a device: looks as if it fitted
    assert with_adam / GB == pytest.approx(138, abs=1)  # 140 for a round 70 billion
    whole = footprint(SEVENTY, quoted, MIXED)
    assert whole.weights + whole.gradients + whole.optimizer == pytest.approx(with_adam, rel=0.03)
    assert whole.total > 80 * GB


def test_it_finds_a_layout_of_seventy_billion_that_fits() -> None:
    plan = choose(SEVENTY, CLUSTER, batch=512)
    layout = plan.layout
    assert layout.ranks == 32 and layout.batch == 512
    assert layout.zero == 3 and not layout.offload
    assert plan.memory.total <= 0.9 * 80 * GB
    state = plan.memory.weights + plan.memory.gradients + plan.memory.optimizer
    assert state == pytest.approx(16 * SEVENTY.parameters / layout.shard / layout.tensor, rel=0.02)
    assert "shard_must" in codes(plan)


def test_every_layout_it_tries_uses_all_devices_and_the_whole_batch() -> None:
    found = list(layouts(SEVEN, Machine(kind="cuda", devices=4, memory=80 * GB), 8))
    assert len({str(layout) for layout in found}) == len(found) > 50
    assert {layout.ranks for layout in found} == {4}
    assert {layout.batch for layout in found} == {8}
    assert {layout.tensor for layout in found} == {1, 2, 4}


def test_a_batch_that_cannot_be_dealt_out_is_said_so() -> None:
    with pytest.raises(NoFit, match="use a multiple of 2"):
        choose(SMOL, TWO_CORES, batch=7, fixed=True)
    with pytest.raises(ValueError, match="expected 1 or more"):
        choose(SMOL, TWO_CORES, batch=0)


def test_more_division_never_takes_more_memory_for_what_stays() -> None:
    machine = Machine(kind="cuda", devices=8, memory=80 * GB)
    ways = [
        Layout(replicate=8),
        Layout(replicate=8, zero=1),
        Layout(shard=8, zero=2),
        Layout(shard=8, zero=3),
    ]
    kept = [
        (plan.memory.weights + plan.memory.gradients + plan.memory.optimizer) / SEVEN.parameters
        for plan in (measure(SEVEN, machine, layout, MIXED) for layout in ways)
    ]
    assert kept == pytest.approx([16, 4 + 12 / 8, 2, 2], rel=1e-6)
    working = [footprint(SEVEN, layout, MIXED).working for layout in ways]
    assert working[0] == 0 and working[2] > working[3] > 0


@pytest.mark.parametrize("precision", [FP32, AUTOCAST, FROZEN_BF16, MIXED], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("layout", "saved", "gathered"),
    [
        (Layout(), 12, 0),
        (Layout(replicate=2), 12, 0),
        (Layout(replicate=2, zero=1, micro_batch=16), 12, 8),  # the state of all ranks is put together for it
        (Layout(shard=2, zero=3), 6, 0),
        (Layout(replicate=2, shard=2, zero=3), 6, 0),
    ],
)
def test_the_copy_for_checkpoints_counts_where_it_lies(
    layout: Layout, saved: int, gathered: int, precision: Precision
) -> None:
    million = replace(SMOL, trainable=1_000_000)
    plain = footprint(million, layout, precision, kind="cpu")
    shape = replace(million, beside=Beside(saved="during"))
    found = footprint(shape, layout, precision, kind="cpu")
    assert found.saved == saved * 1_000_000 and found.between == gathered * 1_000_000
    assert found.total == plain.total + found.saved  # a step takes more than what is gathered
    there = footprint(shape, layout, precision, kind="cuda")  # in the processor's memory
    assert there.saved == 0 and there.host == footprint(million, layout, precision, kind="cuda").host
    last = footprint(replace(million, beside=Beside(saved="last")), layout, precision, kind="cpu")
    assert last.saved == 0 and last.between == (saved + gathered) * 1_000_000


def test_what_top_k_leaves_counts_on_its_rank_and_of_all_in_the_copy() -> None:
    layout = Layout(replicate=4, micro_batch=16)
    plain, left = (
        footprint(replace(SMOL, beside=Beside(saved="during", left=some)), layout, kind="cpu")
        for some in (False, True)
    )
    assert left.working - plain.working == 4 * SMOL.parameters
    assert left.saved - plain.saved == left.between == 4 * 4 * SMOL.parameters


def test_of_copies_in_one_box_one_writes_checkpoints() -> None:
    saving = replace(SMOL, beside=Beside(saved="during"))
    plan = measure(saving, TWO_CORES, Layout(replicate=2), FP32)
    half = replace(TWO_CORES, memory=int((plan.memory.total - plan.memory.saved / 2) / MARGIN) + 1000)
    assert fits(plan, half) and not fits(plan, replace(half, memory=half.memory - 2000))
    parts = measure(saving, TWO_CORES, Layout(shard=2, zero=3), FP32)
    enough = replace(TWO_CORES, memory=int(parts.memory.total / MARGIN) + 1000)
    assert fits(parts, enough) and not fits(parts, replace(enough, memory=enough.memory - 2000))


def test_what_reads_the_validation_items_counts_where_it_is_more_than_a_step() -> None:
    parameters = SMOL.parameters
    read = replace(SMOL, beside=Beside(read=1000, packed=2))
    flowing = 4 * 1000 * (4 * SMOL.hidden + SMOL.inner)
    packed = 2 * SMOL.layers * SMOL.layer
    one = footprint(read, Layout(micro_batch=1), kind="cpu")
    assert one.between == packed + flowing and one.total == footprint(SMOL, Layout(), kind="cpu").total
    parts = [Layout(shard=4, zero=3), Layout(tensor=4), Layout(shard=2, tensor=2, zero=3)]
    wholes = [footprint(read, layout, kind="cpu").between for layout in parts]
    assert wholes == [packed + flowing + 4 * parameters] * 3
    small = replace(read, sequence=1)
    divided = footprint(small, Layout(shard=64, zero=3), kind="cpu")
    assert divided.total == divided.weights + divided.optimizer + divided.between


def test_checkpointing_keeps_a_layers_input_only() -> None:
    def activations(kind: str) -> int:
        return footprint(SEVEN, Layout(micro_batch=1, checkpointing=kind), MIXED).activations  # type: ignore[arg-type]

    none, some, full = activations("none"), activations("selective"), activations("full")
    assert none > some > full
    # 31 layers' activations become 32 inputs.
    one = 2048 * 2 * (6 * 4096 + 4 * 4096 + 4 * 11_008)
    assert none - full == pytest.approx(31 * one - 32 * 2048 * 2 * 4096, rel=1e-6)


def test_a_plan_goes_into_json_with_its_reasons_in_words() -> None:
    data = choose(SMOL, TWO_CORES, batch=16, fixed=True).to_json()
    assert data["layout"]["name"] == "DDP 2"
    assert data["reasons"][0]["text"].startswith("135 million parameters")
    assert data["memory"]["total"] > 0 and data["bucket_bytes"] > 2**20
    assert footprint(SMOL, Layout(), FP32).total < data["memory"]["total"]


def test_it_reads_the_shape_of_a_model_and_of_one_with_a_cut_word_table() -> None:
    from torch import nn

    from tests.training.distributed import ranks

    decoder = Shape.of(ranks.decoder(), 12)
    assert (decoder.parameters, decoder.learning) == (22_688, 22_688)
    assert (decoder.layers, decoder.hidden, decoder.heads, decoder.kv_heads) == (2, 32, 4, 2)
    assert decoder.gated and decoder.per_token and not decoder.tied
    assert decoder.embedding == decoder.head == 64 * 32
    assert decoder.layer == (22_688 - 2 * 64 * 32) // 2
    model = ranks.encoder()
    model.set_input_embeddings(nn.Embedding(10, 32))
    encoder = Shape.of(model, 12, outputs=4)
    assert encoder.embedding == 10 * 32 and encoder.head == 4 * 32
    assert not encoder.gated and not encoder.per_token


def test_processes_of_several_boxes_share_their_own_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    alone = Machine.here(4)
    assert (alone.devices, alone.per_node, alone.nodes, alone.memory) == (4, 4, 1, alone.host // 4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # as torchrun tells each of two boxes
    two = Machine.here(4)
    assert (two.devices, two.per_node, two.nodes, two.memory) == (4, 2, 2, two.host // 2)
    assert Machine.here(1).memory == two.host
    assert Machine.here(1).cores == len(os.sched_getaffinity(0))
