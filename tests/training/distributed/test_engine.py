"""Every layout on real processes: the losses of one process, and what we claim to run is what ran."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.distributed.engine import Engine
from training.distributed.layout import Layout
from training.distributed.tasks import CAUSAL, CLASSIFY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]

Q = "model.layers.0.self_attn.q_proj.weight"
OUT = "model.layers.0.self_attn.o_proj.weight"
NORM = "model.layers.0.input_layernorm.weight"
ALL = 22_688  # parameters of the tiny decoder
Found = list[dict[str, Any]]  # by rank
TWO = ["ddp", "ddp_accumulated", "zero1", "zero2", "zero3", "offload", "tensor", "gpipe", "1f1b"]
FOUR = ["hsdp", "fsdp_tensor", "ddp_pipeline", "fsdp_pipeline", "tensor_pipeline"]


def check_losses(found: Found, name: str) -> None:
    alone = found[0]["alone"]["encoder" if name.startswith("encoder") else "decoder"]
    for rank in found:
        assert rank[name]["losses"] == pytest.approx(alone, abs=1e-5)
    if not name.startswith("encoder"):  # its labels are drawn by chance
        assert alone[-1] < alone[0]


@pytest.mark.parametrize("name", [*TWO, "encoder_tensor", "encoder_zero3", "persistent"])
def test_two_ranks_learn_what_one_process_learns(two_ranks: Found, name: str) -> None:
    check_losses(two_ranks, name)


@pytest.mark.parametrize("name", FOUR)
def test_four_ranks_learn_what_one_process_learns(four_ranks: Found, name: str) -> None:
    check_losses(four_ranks, name)


@pytest.mark.parametrize("name", ["ddp", "ddp_accumulated"])
def test_ddp_copies_everything_and_sums_all_gradients_once_a_step(two_ranks: Found, name: str) -> None:
    for rank in two_ranks:
        case = rank[name]
        assert case["wrapper"] == "DistributedDataParallel"
        assert case["weights"][Q] == {"placements": None, "shape": [32, 32], "local": [32, 32]}
        assert case["optimizer_entries"] == ALL
        assert 4 * ALL <= case["bytes"]["all_reduce"] < 4 * ALL + 100  # gradients, a loss, a norm


def test_zero1_divides_the_optimizer_alone(two_ranks: Found) -> None:
    entries = [rank["zero1"]["optimizer_entries"] for rank in two_ranks]
    assert sum(entries) == ALL and max(entries) < 0.6 * ALL
    for rank in two_ranks:
        assert rank["zero1"]["weights"][Q]["local"] == [32, 32]
        assert rank["zero1"]["bytes"]["broadcast"] >= 4 * ALL  # updated weights, both ranks' parts


@pytest.mark.parametrize("name", ["zero2", "zero3", "offload"])
def test_fsdp_divides_weights_and_optimizer_and_scatters_gradients(two_ranks: Found, name: str) -> None:
    for rank in two_ranks:
        case = rank[name]
        assert case["wrapper"].startswith("FSDP")
        assert {tuple(value["placements"]) for value in case["weights"].values()} == {("S(0)",)}
        assert case["weights"][Q]["local"] == [16, 32]
        assert case["optimizer_entries"] == ALL // 2
        assert case["bytes"]["reduce_scatter"] == 4 * ALL
        assert case["bytes"]["all_reduce"] < 100  # no sum of gradients anywhere: this is not DDP


def test_zero3_gathers_weights_again_for_the_backward_pass(two_ranks: Found) -> None:
    for rank in two_ranks:
        once, again = rank["zero2"], rank["zero3"]
        assert once["bytes"]["all_gather"] == 4 * ALL // 2  # its own half of everything
        assert again["calls"]["all_gather"] > 2 * once["calls"]["all_gather"]  # two parts, twice each


def test_small_parameters_stay_whole_and_travel_together(two_ranks: Found) -> None:
    norms = 5 * 32
    for rank in two_ranks:
        case = rank["persistent"]
        assert case["weights"][NORM] == {"placements": None, "shape": [32], "local": [32]}
        assert case["weights"][Q]["local"] == [16, 32]
        assert case["bytes"]["reduce_scatter"] == 4 * (ALL - norms)
        assert 4 * norms <= case["bytes"]["all_reduce"] < 4 * norms + 100


def test_cut_matrices_lie_in_halves_and_are_never_put_together(two_ranks: Found) -> None:
    for rank in two_ranks:
        case = rank["tensor"]
        assert case["weights"][Q]["placements"] == ["S(0)"] and case["weights"][Q]["local"] == [16, 32]
        assert case["weights"][OUT]["placements"] == ["S(1)"] and case["weights"][OUT]["local"] == [32, 16]
        assert case["weights"][NORM]["placements"] is None
        assert set(case["calls"]) == {"all_reduce"}
        # Two sums of activations a layer and direction (8 x 12 x 32 figures) at least.
        assert case["bytes"]["all_reduce"] >= 2 * 4 * (8 * 12 * 32 * 4)
        assert ALL // 2 < case["optimizer_entries"] < 0.6 * ALL


@pytest.mark.parametrize("name", ["gpipe", "1f1b"])
def test_stages_hold_different_layers_and_send_edges_only(two_ranks: Found, name: str) -> None:
    first, last = two_ranks[0][name], two_ranks[1][name]
    assert Q in first["weights"] and Q not in last["weights"]
    assert "lm_head.weight" in last["weights"] and "lm_head.weight" not in first["weights"]
    assert len(first["weights"]) + len(last["weights"]) == len(two_ranks[0]["ddp"]["weights"])
    assert first["optimizer_entries"] + last["optimizer_entries"] == ALL
    for case in (first, last):
        assert case["calls"]["send"] == 4  # micro-batches
        assert case["bytes"]["send"] == 8 * 12 * 32 * 4
        assert case["bytes"]["all_reduce"] < 100


def test_hsdp_divides_inside_a_group_and_copies_between_groups(four_ranks: Found) -> None:
    for rank in four_ranks:
        case = rank["hsdp"]
        assert case["weights"][Q]["placements"] == ["R", "S(0)"]
        assert case["weights"][Q]["axes"] == ["replicate", "shard"]
        assert case["weights"][Q]["local"] == [16, 32]  # a half, not a quarter
        assert case["bytes"]["reduce_scatter"] == 4 * ALL
        assert 2 * ALL <= case["bytes"]["all_reduce"] < 2 * ALL + 100  # the halves, summed over the groups


def test_fsdp_and_cut_matrices_leave_a_quarter_of_a_matrix(four_ranks: Found) -> None:
    for rank in four_ranks:
        weights = rank["fsdp_tensor"]["weights"]
        assert weights[Q]["axes"] == ["shard", "tensor"]
        assert weights[Q]["local"][0] * weights[Q]["local"][1] == 32 * 32 // 4
        assert weights[OUT]["local"][0] * weights[OUT]["local"][1] == 32 * 32 // 4
        assert {"all_gather", "reduce_scatter", "all_reduce"} <= set(rank["fsdp_tensor"]["calls"])


def test_copies_of_a_pipeline_sum_their_stages_gradients(four_ranks: Found) -> None:
    for rank in four_ranks:
        case = rank["ddp_pipeline"]
        assert case["calls"]["send"] == 2
        assert case["bytes"]["all_reduce"] == pytest.approx(4 * case["optimizer_entries"], abs=100)


def test_one_process_needs_no_group(two_ranks: Found) -> None:
    from tests.training.distributed import ranks

    engine = Engine(
        ranks.encoder(), Layout(accumulation=4), CLASSIFY, learning_rate=ranks.RATE, clip=ranks.CLIP
    )
    losses = [engine.step(batch) for batch in ranks.text_batches()]
    assert losses == pytest.approx(two_ranks[0]["alone"]["encoder"], abs=1e-5)
    assert set(engine.weights()) == {name for name, _ in ranks.encoder().named_parameters()}


def test_it_says_how_many_processes_a_layout_needs() -> None:
    model = torch.nn.Module()
    with pytest.raises(ValueError, match="found 1 processes, expected 4 for HSDP 2×2"):
        Engine(model, Layout(replicate=2, shard=2, zero=3), CAUSAL, learning_rate=0.1)
    with pytest.raises(ValueError, match="FSDP2 needs a process group"):
        Engine(model, Layout(zero=3, offload=True), CAUSAL, learning_rate=0.1)
