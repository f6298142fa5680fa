"""A language model learns the same under any layout, and what is claimed is what ran."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import language_kit
from tests.training.programs.test_layouts import launch
from tests.training.programs.test_tune import make_spec, result_of, weights_of
from training.learning import language_base
from training.programs import tune

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("layouts")]

# Name of the run: objective, what learns, layout it ends under, layout it is begun and interrupted under. Those
# on pairs have a curriculum: the base is asked on divided weights.
RUNS = {
    "sft": ("sft", "full", "zero3", "zero3"),
    "sft lora": ("sft", "lora", "zero3", ""),
    "dpo": ("dpo", "lora", "zero2", "zero1"),
    "reward": ("reward", "full", "zero3_offload", ""),
}
Specs = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Specs:
    """The specs, after they were run: "… alone" by this process, the others by two ranks in one launch."""
    folder = tmp_path_factory.mktemp("tune layouts")
    base = language_kit.tiny_llama(folder / "base")
    replies, pairs = language_kit.responses, language_kit.pairs
    data = {  # a step of three leaves the ranks unequal shares
        "response": language_kit.write_dataset(folder / "r", train=replies(21), validation=replies(6, 40)),
        "preference": language_kit.write_dataset(folder / "p", train=pairs(21), validation=pairs(6, 40)),
    }
    found = {}
    for name, (objective, adapter, layout, _begun) in RUNS.items():
        settings = {
            **{"adapter": adapter, "max_steps": 7, "save_every": 3, "batch_size": 3, "learning_rate": 1e-3},
            "gradient_checkpointing": objective == "reward",
            "curriculum": "adaptive" if objective != "sft" else "none",
        }
        for at, asked in ((name, layout), (f"{name} alone", "auto")):
            found[at] = make_spec(folder / at, data, base, objective, layout=asked, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language_base, "LORA_DROPOUT", 0.0)
        for name in RUNS:
            tune.work(found[f"{name} alone"])
    two = [{**found[name], "begun_as": begun} for name, (*_asked, begun) in RUNS.items()]
    launch(folder / "two.json", two, 2)
    return found


@pytest.mark.parametrize("name", list(RUNS))
def test_two_ranks_learn_what_one_process_learns(runs: Specs, name: str) -> None:
    """The trajectory, the figures before and after, and the weights, among them those of a run in two parts."""
    one, two = result_of(runs[f"{name} alone"]), result_of(runs[name])
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert two["resumed_from_step"] == (3 if RUNS[name][3] else None)
    for key in ("loss", "validation_loss"):
        losses = [[entry[key] for entry in run["history"] if key in entry] for run in (one, two)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-5) and len(losses[0]) == 7
    for key in ("validation_before", "validation"):
        told = [{name: run[key][name] for name in run[key] if name != "intervals"} for run in (one, two)]
        assert told[1] == pytest.approx(told[0], rel=1e-4, abs=1e-4), key
    first, second = weights_of(runs[f"{name} alone"]), weights_of(runs[name])
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
    }
    for one in ran.values():
        assert set(one["placements"]) == {"S(0)", "whole"}
        assert one["bytes_a_step"]["reduce_scatter"] > 0 and one["bytes_a_step"]["all_gather"] > 0
    reward = result_of(runs["reward"])["plan"]
    assert reward["layout"]["checkpointing"] == "full" and reward["memory"]["weights"] == 0
    assert "offload_given" in [reason["code"] for reason in reward["reasons"]]
