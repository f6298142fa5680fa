"""One spec for one process or several, whatever the layout: the same losses, and what is claimed is what ran."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests import training_kit as kit
from tests.forked import Ranks
from tests.training.programs.layouts import RUN
from tests.training.programs.test_finetune import (
    RATING,
    assert_same_weights,
    losses_of,
    make_spec,
    result_of,
    weights_of,
)
from training.distributed.recovery import Recovery
from training.distributed.shape import own_cores
from training.programs.finetune_spec import FinetuneSpec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("layouts")]

# Name of the run: layout it ends under, layout it is begun and interrupted under.
RUNS = {
    "zero1": ("zero1", ""),
    "zero3": ("zero3", ""),
    "tp": ("tp", ""),
    "offload": ("zero3_offload", ""),
    "two of hsdp": ("hsdp", "zero3"),
    "zero1 to zero3": ("zero3", "zero1"),
    "zero3 to ddp": ("ddp", "zero3"),
}
# Compressed by top-k: undisturbed, and interrupted and taken up again. Not the losses of one process.
SPARSE = {"sparse": "", "sparse again": "ddp"}
# Begun under a layout of so many ranks and interrupted, then taken up by one process.
LEFT = {
    "left by zero3": ("zero3", 2),
    "left by hsdp": ("hsdp", 4),
    "left by tp": ("tp", 2),
    "left by tp_zero3": ("tp_zero3", 4),
}
AGAIN = ("zero1", "zero3", "tp")  # with layers that are computed again
OF_FOUR = {"zero2": "FSDP2 4 (ZeRO-2)", "hsdp": "HSDP 2×2", "tp_zero3": "TP 2 · FSDP2 2 (ZeRO-3)"}
Specs = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, ranks: Ranks) -> Specs:
    """The specs, after they were run: "alone" by one process, the others by one, two or four ranks."""
    folder = tmp_path_factory.mktemp("layouts")
    tiny = kit.tiny_encoder(folder / "tiny")
    data = kit.write_dataset(folder / "data", kit.messages(37), kit.messages(10, 1), kit.messages(6, 2))

    def spec(name: str, **changes: Any) -> dict[str, Any]:
        (folder / name).mkdir()
        shared = {"dropout": 0.0, "max_steps": 7, "save_every": 3, "base_penalty": 1.0, "patience": 9}
        return make_spec(folder / name, data, tiny, **{**shared, **changes})

    found = {"alone": spec("alone", layout="zero3"), "half": spec("half", precision="bf16")}
    twenty = {"max_steps": 20, "save_every": 10}
    found["alone of 20"] = spec("alone of 20", **twenty)
    pieces = in_pieces(tiny, folder / "pieces")
    exchanged = {"exchange_every": 2, "exchange_weight": 0.5, "base_model": str(pieces)}
    found["told"] = spec("told", exchange=str(folder / "told" / "group"), **exchanged)
    rated = [(text, {"kind": at % 3, "brief": at // 3 % 3}) for at, (text, _) in enumerate(kit.messages(37))]
    kit.write_answers(folder / "rated", RATING, rated)
    for name in ("surgery", "surgery by two"):
        found[name] = spec(
            name,
            **{"field": RATING, "objective": "rating", "labels": []},
            **{"gradient_surgery": True, "surgery_tasks": "dimensions", "head_start": False},
        ) | {"data": str(folder / "rated")}
    ranks.run(0, RUN, [found[name] for name in ("alone", "half", "alone of 20", "told", "surgery")])

    for name in ("heard", "heard by two"):  # each has what the run "told" told last, and nothing of the other
        shutil.copytree(folder / "told" / "group", folder / "groups" / name)
        found[name] = spec(name, exchange=str(folder / "groups" / name), seed=1, **exchanged)
    found |= {name: spec(name, layout=layout) for name, (layout, _first) in RUNS.items()}
    found |= {
        name: spec(name, layout="ddp", compression="topk", compression_share=0.05, dropout=0.1)
        for name in SPARSE
    }
    found["half by two"] = spec("half by two", layout="zero3", precision="bf16")
    found["offload by one"] = spec("offload by one", layout="zero3_offload")
    found |= {name: spec(name, layout=name, **twenty) for name in OF_FOUR}
    found |= {name: spec(name, layout=layout) for name, (layout, _ranks) in LEFT.items()}
    for name in AGAIN:  # as if memory had run out before
        key = FinetuneSpec.from_json(found[name]).key()
        Recovery(key=key, again=0.5).write(Path(found[name]["work"]))
    begun = {name: first for name, (_layout, first) in RUNS.items()} | SPARSE
    alike = ("heard by two", "surgery by two", "half by two")
    together = [{**found[name], "begun_as": begun.get(name, "")} for name in (*begun, *alike)]
    left = {
        count: [
            {**found[name], "begun_as": layout, "left": True}
            for name, (layout, some) in LEFT.items()
            if some == count
        ]
        for count in (2, 4)
    }
    ranks.run(2, RUN, together + left[2])
    ranks.run(4, RUN, [found[name] for name in OF_FOUR] + left[4])
    ranks.run(1, RUN, [{**found["offload by one"], "begun_as": "zero3_offload"}])
    for name in LEFT:
        files[name] = written(Path(found[name]["work"]))
    ranks.run(0, RUN, [found[name] for name in ("heard", *LEFT)])
    return found


files: dict[str, dict[str, int]] = {}  # of the checkpoint that each run of LEFT left, with their bytes


def written(work: Path) -> dict[str, int]:
    (found,) = work.glob("attempt-*/checkpoint-3")
    return {path.name: path.stat().st_size for path in found.iterdir()}


def in_pieces(base: Path, folder: Path) -> Path:
    """The same model with its weights in two files, as large ones come."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    told = {}
    for number, some in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name] for name in some}, folder / file, {"format": "pt"})
        told |= dict.fromkeys(some, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": told}))
    return folder


def assert_near_weights(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for weight, value in first.items():
        np.testing.assert_allclose(value, second[weight], atol=1e-4, err_msg=weight)


@pytest.mark.parametrize("name", list(RUNS))
def test_two_ranks_learn_what_one_process_learns(runs: Specs, name: str) -> None:
    one, two = result_of(runs["alone"]), result_of(runs[name])
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert one["plan"]["layout"]["name"] == "one process"
    ddp = two["plan"]["layout"]["name"] == "DDP 2"
    shares = two["resources"]["shares"]  # only what went by DDP's hooks alone was timed
    assert ("communication" in shares, "together" in shares) == (ddp, not ddp)
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    if not ddp and not two["resumed_from_step"]:
        assert two["resources"]["advice"][0]["code"] == "sending_unmeasured"
    assert losses_of(runs[name]) == pytest.approx(losses_of(runs["alone"]), abs=1e-5)
    assert two["validation"]["loss"] == pytest.approx(one["validation"]["loss"], rel=1e-4)
    assert two["base_distance"] == pytest.approx(one["base_distance"], rel=1e-3)
    assert_near_weights(runs["alone"], runs[name])


def test_weights_that_wait_in_memory_lie_in_parts(runs: Specs) -> None:
    ran = result_of(runs["offload"])["layout_ran"]
    assert ran["name"] == "FSDP2 2 (ZeRO-3) · CPU offload"
    assert set(ran["placements"]) == {"S(0)", "whole"} and ran["bytes_a_step"]["reduce_scatter"] > 4 * 1000


def test_one_rank_whose_weights_wait_in_memory_goes_on_from_its_checkpoint(runs: Specs) -> None:
    """And ends with the best one, as a run does whose patience is asked for."""
    one, other = result_of(runs["alone"]), result_of(runs["offload by one"])
    assert (other["world_size"], other["layout_ran"]["name"]) == (1, "FSDP2 · CPU offload")
    assert other["resumed_from_step"] == 3
    assert [event["kind"] for event in other["recovered"]] == ["lost"]  # no checkpoint was
    assert losses_of(runs["offload by one"]) == pytest.approx(losses_of(runs["alone"]), abs=1e-5)
    assert other["stopping"]["kept"] == one["stopping"]["kept"]
    assert_near_weights(runs["alone"], runs["offload by one"])


def test_two_ranks_learn_in_bf16_what_one_process_learns_in_bf16(runs: Specs) -> None:
    """Rounding differs where gradients are summed in another order: losses by less than half of bf16's last
    digit, weights by less than bf16's lie from fp32's. What learns stays float32.
    """
    plain, half, two = (runs[name] for name in ("alone", "half", "half by two"))
    result = result_of(two)
    assert result_of(half)["precision"] == result["precision"] == "bf16"
    assert (result["world_size"], result["layout_ran"]["name"]) == (2, "FSDP2 2 (ZeRO-3)")
    assert losses_of(two) == pytest.approx(losses_of(half), rel=2**-9)
    weights = [weights_of(spec) for spec in (plain, half, two)]
    assert {value.dtype for value in weights[2].values()} == {np.dtype(np.float32)}
    assert 0 < kit.apart(weights[1], weights[2]) < kit.apart(weights[0], weights[1])


def test_two_ranks_find_the_conflicts_that_one_process_finds(runs: Specs) -> None:
    one, two = result_of(runs["surgery"]), result_of(runs["surgery by two"])
    assert two["world_size"] == 2
    assert one["surgery"] == two["surgery"] and one["surgery"]["conflict_rate"] > 0
    assert losses_of(runs["surgery by two"]) == pytest.approx(losses_of(runs["surgery"]), abs=1e-5)
    assert_near_weights(runs["surgery"], runs["surgery by two"])


@pytest.mark.parametrize("name", list(OF_FOUR))
def test_four_ranks_learn_in_twenty_steps_what_one_process_learns(runs: Specs, name: str) -> None:
    one, four = result_of(runs["alone of 20"]), result_of(runs[name])
    assert (one["steps"], four["steps"], four["world_size"]) == (20, 20, 4)
    assert four["layout_ran"]["name"] == OF_FOUR[name]
    assert losses_of(runs[name]) == pytest.approx(losses_of(runs["alone of 20"]), abs=1e-5)
    assert_near_weights(runs["alone of 20"], runs[name])
    sent = four["layout_ran"]["bytes_a_step"]
    assert sent["reduce_scatter"] > 4 * 1000
    # Gradients are summed over parts, and between the groups of parts of HSDP; activations between cut matrices.
    assert (sent["all_reduce"] > 4 * 1000) == (name in ("hsdp", "tp_zero3"))


def test_a_run_that_sends_its_largest_gradients_goes_on_with_what_was_left_over(runs: Specs) -> None:
    assert result_of(runs["sparse again"])["resumed_from_step"] == 3
    ratio = result_of(runs["sparse"])["resources"]["communication"]["bytes_ratio"]
    assert (
        0.1 <= ratio < 0.11
    )  # 5 % of the entries, at 8 bytes instead of 4; one of each small tensor at least
    assert_same_weights(runs["sparse"], runs["sparse again"])


def test_a_run_alone_trains_as_without_exchange(runs: Specs) -> None:
    assert_same_weights(runs["alone"], runs["told"])
    assert result_of(runs["told"])["exchange"] == {
        **{"every": 2, "weight": 0.5, "times": 3, "published": 3, "heard": 0},
        "skipped": {},
    }
    assert result_of(runs["alone"])["exchange"] is None


def test_what_another_run_tells_is_heard_by_one_process_and_by_two_alike(runs: Specs) -> None:
    one, two = result_of(runs["heard"]), result_of(runs["heard by two"])
    assert (one["exchange"]["heard"], two["exchange"]["heard"]) == (3, 3)
    assert losses_of(runs["heard by two"]) == pytest.approx(losses_of(runs["heard"]), abs=1e-5)


def test_the_plan_of_a_run_says_no_more_than_is_so(runs: Specs) -> None:
    """One process is enough on one CPU; parts were asked for, and copies of a tiny model would fit."""
    alone, zero3, two = (
        {reason["code"] for reason in result_of(runs[name])["plan"]["reasons"]}
        for name in ("alone", "zero3", "zero3 to ddp")
    )
    assert ("cpu_one" in alone) == (own_cores() > 1) and "cpu_fixed" not in alone
    assert {"cpu_fixed", "shard_given"} <= zero3 and "shard_must" not in zero3
    assert {"cpu_fixed", "copies"} <= two


def test_ranks_too_few_for_two_axes_divide_the_weights_and_say_so(runs: Specs) -> None:
    result = result_of(runs["two of hsdp"])
    assert result["resumed_from_step"] == 3 and result["layout_ran"]["name"] == "FSDP2 2 (ZeRO-3)"
    first = result["plan"]["reasons"][0]
    assert (first["code"], first["values"]) == ("regrouped", {"layout": "hsdp", "ranks": 2})


@pytest.mark.parametrize("name", AGAIN)
def test_layers_are_computed_again_whatever_the_layout(runs: Specs, name: str) -> None:
    result = result_of(runs[name])
    assert result["plan"]["layout"]["checkpointing"] == "selective"
    assert "checkpoint_selective" in [reason["code"] for reason in result["plan"]["reasons"]]


def test_copies_are_summed_and_only_the_state_is_divided_under_zero1(runs: Specs) -> None:
    ran = result_of(runs["zero1"])["layout_ran"]
    assert (ran["name"], ran["placements"]) == ("ZeRO-1 2", {})
    assert ran["calls_a_step"]["broadcast"] >= 2  # updated weights, of both ranks
    assert ran["bytes_a_step"]["all_reduce"] > 4 * 1000 and "reduce_scatter" not in ran["bytes_a_step"]


def test_weights_lie_in_parts_and_gradients_are_scattered_under_zero3(runs: Specs) -> None:
    ran = result_of(runs["zero3"])["layout_ran"]
    assert ran["name"] == "FSDP2 2 (ZeRO-3)"
    assert set(ran["placements"]) == {"S(0)", "whole"}
    sent = ran["bytes_a_step"]
    assert sent["reduce_scatter"] > 4 * 1000 and sent["all_gather"] > sent["reduce_scatter"] / 2


def small_of(spec: dict[str, Any]) -> list[int]:
    """Sizes of the parameters that are not worth dividing, by the plan."""
    least = result_of(spec)["plan"]["persistence_threshold"]
    sizes = [math.prod(value.shape) for value in weights_of(spec).values()]
    return [size for size in sizes if size < least]


@pytest.mark.parametrize("name", ["zero3", "zero2", "hsdp"])
def test_small_parameters_lie_whole_and_only_their_gradients_are_summed(runs: Specs, name: str) -> None:
    """As many as the plan says: those below its threshold, which neither layout cuts."""
    ran, small = result_of(runs[name])["layout_ran"], small_of(runs[name])
    assert ran["placements"]["whole"] == len(small) > 10
    if name != "hsdp":  # which also sums parts between its groups
        assert 4 * sum(small) <= ran["bytes_a_step"]["all_reduce"] < 4 * sum(small) + 200


def test_the_estimate_counts_checkpoints_and_the_model_that_reads_validation(runs: Specs) -> None:
    one, two = (result_of(runs[name])["plan"]["memory"] for name in ("alone", "zero3"))
    assert one["saved"] == 3 * one["weights"] and two["saved"] == pytest.approx(one["saved"] / 2, abs=3)
    assert two["between"] - one["between"] > 0.5 * one["weights"]  # put together of both ranks' parts


def test_matrices_are_cut_and_items_seen_by_both_under_tp(runs: Specs) -> None:
    result = result_of(runs["tp"])
    ran = result["layout_ran"]
    assert ran["name"] == "TP 2" and result["plan"]["layout"]["micro_batch"] == 16
    assert ran["placements"]["S(0)"] and ran["placements"]["S(1)"] and ran["placements"]["whole"]
    assert set(ran["calls_a_step"]) == {"all_reduce"}


@pytest.mark.parametrize("name", list(LEFT))
def test_one_process_takes_up_what_ranks_wrote_in_parts(runs: Specs, name: str) -> None:
    result = result_of(runs[name])
    assert (result["resumed_from_step"], result["world_size"]) == (3, 1)
    assert losses_of(runs[name]) == pytest.approx(losses_of(runs["alone"]), abs=1e-5)
    assert_near_weights(runs["alone"], runs[name])


def test_each_rank_writes_its_part_and_what_several_hold_is_written_once(runs: Specs) -> None:
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    zero3, hsdp, tp, both = (files[name] for name in LEFT)
    assert "model.safetensors" not in zero3
    whole = 4 * sum(small_of(runs["zero3"]))  # that the first alone writes
    assert zero3[first] - whole == pytest.approx(zero3[second], rel=0.1)
    assert tp[second] < tp[first]  # the first has also what is not cut
    assert {name for name in hsdp if name.startswith("model")} == {
        f"model-0000{rank}-of-00004.safetensors" for rank in (1, 2)
    }
    parts = [both[f"model-0000{rank}-of-00004.safetensors"] for rank in (1, 2, 3, 4)]
    assert sum(parts) == pytest.approx(tp[first] + tp[second], rel=0.15)  # but for two more headers
    assert parts[1] < parts[0] and parts[3] < parts[2]  # whole matrices are the first's of those that cut


def test_a_run_goes_on_under_another_layout(runs: Specs) -> None:
    for name in ("zero1 to zero3", "zero3 to ddp"):
        assert result_of(runs[name])["resumed_from_step"] == 3, name
    assert result_of(runs["zero3 to ddp"])["plan"]["layout"]["name"] == "DDP 2"
