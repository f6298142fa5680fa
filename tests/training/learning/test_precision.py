from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from training.distributed import profile
from training.learning import precision

CPU = torch.device("cpu")


NEITHER = "the processor has neither AMX nor AVX512-BF16 instructions"


def machine(monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool], gain: float) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    monkeypatch.setattr(precision, "_gain", lambda threads: gain)


@pytest.mark.parametrize(
    ("flags", "gain", "expected", "words"),
    [
        ({"amx_tile": True}, 2.04, "bf16", "products in bf16 run at 2.0 times the rate of fp32 here"),
        ({"avx512_bf16": True, "amx_tile": False}, 1.2, "bf16", "run at 1.2 times the rate of fp32 here"),
        ({"avx512_bf16": True}, 0.5, "fp32", "run at 0.5 times the rate of fp32 here"),
        ({"avx512_bf16": True}, 1.19, "fp32", "run at 1.2 times the rate of fp32 here"),
        ({"avx2": True}, 9.0, "fp32", NEITHER),
    ],
)
def test_it_picks_what_the_machine_was_seen_to_do_fast_and_says_why(
    flags: dict[str, bool], gain: float, expected: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, flags, gain)
    chosen = precision.choose("auto", CPU)
    assert chosen.precision == expected and words in chosen.why


def test_the_gain_is_the_rate_of_bf16_in_that_of_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {torch.bfloat16: 300e9, torch.float32: 200e9}
    monkeypatch.setattr(profile, "matrix_rate", lambda device, dtype, seconds: rates[dtype])
    assert precision._gain.__wrapped__(2) == 1.5


def test_it_does_what_was_asked_and_says_where_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, {"avx512_bf16": True}, 0.5)
    assert precision.choose("fp32", CPU) == precision.Chosen("fp32", "asked for")
    slow = precision.choose("bf16", CPU)
    assert slow.precision == "bf16" and "fp32 would be faster" in slow.why
    with pytest.raises(ValueError, match="precision: found 'fp16', expected one of auto, fp32, bf16"):
        precision.check("fp16")


def test_what_a_run_has_settled_on_stands_for_all_its_ranks_and_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rank or an attempt on a machine that measures otherwise would end with other weights."""
    machine(monkeypatch, {"avx512_bf16": True}, 2.0)
    first = precision.settled("auto", CPU, tmp_path / "work")
    machine(monkeypatch, {"avx512_bf16": True}, 0.5)
    assert precision.settled("auto", CPU, tmp_path / "work") == first
    assert asdict(first)["precision"] == "bf16"
    assert [path.name for path in (tmp_path / "work").iterdir()] == [precision.FILE]
    assert precision.settled("fp32", CPU, tmp_path / "other").precision == "fp32"
    assert not (tmp_path / "other").exists()
