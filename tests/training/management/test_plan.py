"""`manage.py plan`: the plan of a model on a machine, by its folder or by its sizes; no database is asked."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests import language_kit
from tests import training_kit as kit
from training.selectors import plans

SEVENTY = [
    *(
        "--parameters",
        "68976648192",
        "--layers",
        "80",
        "--hidden",
        "8192",
        "--sequence",
        "4096",
        "--batch",
        "512",
    ),
    *("--devices", "32", "--memory", "80", "--host", "1000"),
]


def call(*args: object) -> list[str]:
    out = io.StringIO()
    call_command("plan", *map(str, args), stdout=out)
    return out.getvalue().splitlines()


def test_it_plans_seventy_billion_parameters_by_their_sizes() -> None:
    lines = call(*SEVENTY)
    assert lines[0] == "FSDP2 32 (ZeRO-3): processes 32, items at once 2, parts of a step 8"
    rows = {line.split()[0]: line.split()[1] for line in lines if line.startswith("  ")}
    assert rows["optimizer"] == f"{8 * 68_976_648_192 // 32:,}"  # two moments in fp32, a 32nd of them
    assert "- The estimate is" in "\n".join(lines)
    assert any("(FSDP2): a whole copy does not fit on a device." in line for line in lines)
    assert "tensors below 81,920 parameters stay whole" in lines


def test_it_tells_the_plan_as_run_pages_have_it() -> None:
    plan = json.loads("\n".join(call(*SEVENTY, "--json")))
    assert plan["layout"]["name"] == "FSDP2 32 (ZeRO-3)"
    assert plan["memory"]["total"] <= 72e9
    # Weights in bf16 twice a micro-batch, gradients once in fp32, each but a rank's own 32nd.
    n = plan["layout"]["accumulation"]
    assert plan["bytes_sent"]["data"] == pytest.approx(31 / 32 * 68_976_648_192 * (2 * 2 * n + 4), rel=1e-6)


def test_one_process_of_a_cpu_is_enough_and_it_says_so(tmp_path: Path) -> None:
    folder = language_kit.tiny_llama(tmp_path / "llama")
    lines = call(folder, "--kind", "cpu", "--devices", 2, "--per-node", 2, "--memory", 4, "--sequence", 64)
    assert lines[0].startswith("one process: processes 1, items at once 32")
    assert any(line.startswith("- One process with all cores: 2 processes on one CPU") for line in lines)
    total = next(line for line in lines if line.startswith("  total"))
    assert total.split()[1] != "0"
    asked = call(folder, "--kind", "cpu", "--devices", 2, "--per-node", 2, "--memory", 4, "--all-devices")
    assert asked[0].startswith("DDP 2: processes 2")


def test_the_shape_of_a_folder_is_that_of_the_model_in_it(tmp_path: Path) -> None:
    import transformers

    from training.distributed.shape import Shape

    for folder in (language_kit.tiny_llama(tmp_path / "llama"), kit.tiny_encoder(tmp_path / "encoder")):
        found = plans.shape_of(folder, 64)
        make = transformers.AutoModelForCausalLM if found.per_token else transformers.AutoModel
        whole = Shape.of(make.from_pretrained(folder), 64, outputs=None if found.per_token else 2)
        assert found.layers == whole.layers and found.gated == whole.gated and found.tied == whole.tied
        assert found.dropout == whole.dropout == (not found.per_token)
        assert found.attention_dropout == whole.attention_dropout == (not found.per_token)
        assert (found.hidden, found.heads, found.inner, found.kv_width) == (
            whole.hidden,
            whole.heads,
            whole.inner,
            whole.kv_width,
        )
        assert found.parameters == pytest.approx(whole.parameters, rel=0.02)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([], "found no folder and no --parameters, --layers, --hidden"),
        (["--parameters", "7e9", "--layers", "32"], "found no folder and no --hidden"),
        (["/nowhere"], "/nowhere is no folder"),
        (["/nowhere", "--layers", "3"], "the folder says it"),
        (["--parameters", "7e9", "--layers", "32", "--hidden", "4100"], "4100, which 64 does not divide"),
        (
            ["--parameters", "7e9", "--layers", "32", "--hidden", "4096", "--memory", "24", "--devices", "1"],
            "LoRA with rank 16",
        ),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(args: list[str], why: str) -> None:
    with pytest.raises(CommandError) as error:
        call(*args)
    assert why in str(error.value)
