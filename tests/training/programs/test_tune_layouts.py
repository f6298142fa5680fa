"""A language model learns the same under any layout, and what is claimed is what ran."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests import language_kit
from tests import training_kit as kit
from tests.forked import Ranks
from tests.training.programs.layouts import RUN
from tests.training.programs.test_tune import make_spec, result_of, weights_of
from training.distributed.layout import CUT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("layouts")]

# Name of the run: objective, what learns, ranks, layout it ends under, layout it is begun and interrupted under.
# Those on pairs have a curriculum: the base is asked on divided weights.
RUNS = {
    "sft": ("sft", "full", 2, "zero3", "zero3"),
    "sft lora": ("sft", "lora", 2, "zero3", ""),
    "dpo": ("dpo", "lora", 2, "zero2", "zero1"),
    "reward": ("reward", "full", 2, "zero3_offload", "zero3_offload"),
    "dpo cut": ("dpo", "lora", 2, "tp", "tp"),
    "sft of four": ("sft", "full", 4, "hsdp", ""),
    "sft cut by four": ("sft", "full", 4, "tp_zero3", "tp_zero3"),
    "dpo cut by four": ("dpo", "lora", 4, "tp_zero3", "zero2"),
    "reward cut by four": ("reward", "full", 4, "tp_zero3", ""),
    "sft of one": ("sft", "full", 1, "zero3_offload", "zero3_offload"),
}
ALONE = ("sft", "sft lora", "dpo", "reward")
CURRICULUM = [("dpo", "lora"), ("reward", "full")]
PARTS = {  # of a layout: how weights lie on the ranks of its axes
    "hsdp": {"R S(0)", "whole"},
    "tp": {"S(0)", "S(1)", "whole"},
    "tp_zero3": {"S(0)", "_S(0, 2) S(0)", "S(0) S(1)"},
}
HALF = {"sft": "full", "sft lora": "lora", "reward lora": "lora"}  # in bf16 too: what learns
OF_HALF = {"zero3": "FSDP2 2 (ZeRO-3)", "tp": "TP 2"}
Specs = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, ranks: Ranks) -> Specs:
    """The specs, after they were run: "… alone" by one process, the others by one, two or four ranks."""
    folder = tmp_path_factory.mktemp("tune layouts")
    base = language_kit.tiny_llama(folder / "base", kv_heads=2)
    replies, pairs = language_kit.responses, language_kit.pairs
    data = {  # a step of three leaves two ranks unequal shares, and one of four without any
        "response": language_kit.write_dataset(folder / "r", train=replies(21), validation=replies(6, 40)),
        "preference": language_kit.write_dataset(folder / "p", train=pairs(21), validation=pairs(6, 40)),
    }

    def spec(name: str, objective: str, adapter: str, **changes: Any) -> dict[str, Any]:
        settings = {
            **{"adapter": adapter, "max_steps": 7, "save_every": 3, "batch_size": 3, "learning_rate": 1e-3},
            "gradient_checkpointing": (objective, adapter) == ("reward", "full"),
            "curriculum": "adaptive" if (objective, adapter) in CURRICULUM else "none",
        }
        return make_spec(folder / name, data, base, objective, **settings | changes)

    found = {f"{name} alone": spec(f"{name} alone", *RUNS[name][:2]) for name in ALONE}
    found["reward lora alone"] = spec("reward lora alone", "reward", "lora")
    for name, adapter in HALF.items():
        at = f"{name} half alone"
        found[at] = spec(at, name.split()[0], adapter, precision="bf16")
    ranks.run(0, RUN, list(found.values()))

    asked: dict[int, list[dict[str, Any]]] = {1: [], 2: [], 4: []}
    for name, (objective, adapter, count, layout, begun) in RUNS.items():
        found[name] = spec(name, objective, adapter, layout=layout)
        asked[count].append({**found[name], "begun_as": begun})
    for name, adapter in HALF.items():
        for layout in OF_HALF:
            at = f"{name} half {layout}"
            found[at] = spec(at, name.split()[0], adapter, precision="bf16", layout=layout)
            asked[2].append(found[at])
    for count, some in asked.items():
        ranks.run(count, RUN, some)
    return found


def losses_of(spec: dict[str, Any]) -> list[float]:
    return [entry["loss"] for entry in result_of(spec)["history"] if "loss" in entry]


@pytest.mark.parametrize("name", list(RUNS))
def test_ranks_learn_what_one_process_learns(runs: Specs, name: str) -> None:
    """The trajectory, the figures before and after, and the weights, among them those of a run in two parts."""
    alone = runs[f"{re.split(' (?:cut|of)', name)[0]} alone"]
    one, some = result_of(alone), result_of(runs[name])
    assert (one["world_size"], some["world_size"]) == (1, RUNS[name][2])
    begun = RUNS[name][4]
    assert some["resumed_from_step"] == (3 if begun else None)
    assert [event["kind"] for event in some["recovered"]] == (["lost"] if begun else [])
    for key in ("loss", "validation_loss"):
        losses = [[entry[key] for entry in run["history"] if key in entry] for run in (one, some)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-5) and len(losses[0]) == 7
    for key in ("validation_before", "validation"):
        told = [{name: run[key][name] for name in run[key] if name != "intervals"} for run in (one, some)]
        assert told[1] == pytest.approx(told[0], rel=1e-4, abs=1e-4), key
    first, second = weights_of(alone), weights_of(runs[name])
    assert first.keys() == second.keys()
    for weight, value in first.items():
        np.testing.assert_allclose(second[weight], value, atol=1e-4, err_msg=weight)


def test_weights_lie_in_parts_and_what_was_claimed_ran(runs: Specs) -> None:
    ran = {name: result_of(runs[name])["layout_ran"] for name in RUNS}
    names = {name: one["name"] for name, one in ran.items()}
    assert names == {
        "sft": "FSDP2 2 (ZeRO-3)",
        "sft lora": "FSDP2 2 (ZeRO-3)",
        "dpo": "FSDP2 2 (ZeRO-2)",
        "reward": "FSDP2 2 (ZeRO-3) · CPU offload",
        "dpo cut": "TP 2",
        "sft of four": "HSDP 2×2",
        "sft cut by four": "TP 2 · FSDP2 2 (ZeRO-3)",
        "dpo cut by four": "TP 2 · FSDP2 2 (ZeRO-3)",
        "reward cut by four": "TP 2 · FSDP2 2 (ZeRO-3)",
        "sft of one": "FSDP2 · CPU offload",
    }
    for name, one in ran.items():
        layout = RUNS[name][3]
        assert set(one["placements"]) == PARTS.get(layout, {"S(0)", "whole"}), name
        if name != "sft of one":
            needed = set() if layout == "tp" else {"reduce_scatter", "all_gather"}
            needed |= {"all_reduce"} if layout in CUT else set()
            assert {kind for kind, count in one["bytes_a_step"].items() if count} >= needed, name
    # Between its groups HSDP sums the parts of which every rank of a group holds one.
    two, four = (ran[name]["bytes_a_step"] for name in ("sft", "sft of four"))
    assert four["all_reduce"] >= two["all_reduce"] + four["reduce_scatter"] / 2
    reward = result_of(runs["reward"])["plan"]
    assert reward["layout"]["checkpointing"] == "full" and reward["layout"]["offload"]
    assert "offload_cpu" in [reason["code"] for reason in reward["reasons"]]


@pytest.mark.parametrize("layout", list(OF_HALF))
@pytest.mark.parametrize("name", list(HALF))
def test_two_ranks_learn_in_bf16_what_one_process_learns_in_bf16(runs: Specs, name: str, layout: str) -> None:
    """Rounding differs where gradients are summed in another order: losses by less than half of bf16's last
    digit, weights by less than bf16's lie from fp32's. What learns stays float32, a reward's head too.
    """
    plain, half, two = (runs[f"{name}{more}"] for more in (" alone", " half alone", f" half {layout}"))
    result = result_of(two)
    assert result_of(half)["precision"] == result["precision"] == "bf16"
    assert (result["world_size"], result["layout_ran"]["name"]) == (2, OF_HALF[layout])
    assert losses_of(two) == pytest.approx(losses_of(half), rel=2**-9) and len(losses_of(two)) == 7
    for key in ("validation_before", "validation"):
        assert result[key]["loss"] == pytest.approx(result_of(half)[key]["loss"], rel=2**-9)
    weights = [weights_of(spec) for spec in (plain, half, two)]
    assert {value.dtype for value in weights[2].values()} == {np.dtype(np.float32)}
    assert ("base_model.model.score.weight" in weights[2]) == (name == "reward lora")
    assert 0 < kit.apart(weights[1], weights[2]) < kit.apart(weights[0], weights[1])


def test_frozen_weights_travel_in_bf16_and_what_learns_in_fp32(runs: Specs) -> None:
    full, half = (
        result_of(runs[name])["layout_ran"]["bytes_a_step"] for name in ("sft lora", "sft lora half zero3")
    )
    assert half["reduce_scatter"] == full["reduce_scatter"]
    assert half["all_gather"] < 0.75 * full["all_gather"]
