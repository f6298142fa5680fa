from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from training.distributed import profile
from training.distributed.profile import Shares, StepProfiler
from training.distributed.shape import Shape


def event(name: str, begin: float, end: float, kind: str = "cpu_op") -> dict[str, Any]:
    """In milliseconds."""
    return {"name": name, "cat": kind, "ts": begin * 1000, "dur": (end - begin) * 1000}


def test_it_divides_time_without_counting_any_twice() -> None:
    found = profile.shares(
        [
            event("aten::mm", 0, 40),
            event("aten::add", 30, 50),  # inside and beyond the one before
            event("gloo:all_reduce", 40, 70),  # ten of it hidden behind arithmetic
            event(profile.WAIT, 60, 80, "user_annotation"),  # ten of it while gradients travel
            event("Optimizer.step#AdamW", 0, 100, "user_annotation"),  # only a name for others
        ],
        seconds=0.1,
    )
    assert found == Shares(
        compute=0.5, communication=0.2, waiting=pytest.approx(0.1), idle=pytest.approx(0.2)
    )


def test_on_a_gpu_its_kernels_count() -> None:
    found = profile.shares(
        [
            event("aten::mm", 0, 90),  # the processor that starts kernels
            event("sgemm", 10, 40, "kernel"),
            event("ncclDevKernel_AllReduce", 30, 60, "kernel"),
        ],
        seconds=0.1,
    )
    assert (found.compute, found.communication, found.idle) == pytest.approx((0.3, 0.2, 0.5))
    with pytest.raises(ValueError, match="found 0 seconds"):
        profile.shares([], 0)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (Shares(0.9, 0.05, 0.05, 0.0), ["90 % of the time goes into arithmetic"]),
        (
            Shares(0.4, 0.4, 0.15, 0.05),
            ["40 % of the time goes into sending", "15 % of the time waits"],
        ),
        (Shares(0.5, 0.0, 0.0, 0.5), ["50 % of the time nothing is computed: batches are too small"]),
    ],
)
def test_it_says_what_to_change_the_largest_first(shares: Shares, words: list[str]) -> None:
    told = [str(reason) for reason in profile.advice(shares)]
    assert len(told) == len(words)
    assert all(text.startswith(word) for text, word in zip(told, words, strict=True))


def test_operations_of_learning_are_six_a_parameter_and_token() -> None:
    shape = Shape(parameters=1_000_000, layers=2, hidden=100, heads=2, vocabulary=1000, sequence=10)
    assert profile.flops(shape, 50) == 6 * 50 * (900_000 + 2 * 2 * 100 * 10)


def test_it_profiles_the_steps_it_was_asked_to(tmp_path: Path) -> None:
    profiler = StepProfiler(tmp_path / "profile", first=1, count=2)
    weights = torch.randn(64, 64, requires_grad=True)
    seen = []
    for step in range(5):
        profiler.step(step)
        seen.append(profiler.running)
        with profiler.waiting():
            batch = torch.randn(64, 64)
        (batch @ weights).sum().backward()
    profiler.end()
    assert seen == [False, True, True, False, False]
    figures = profile.read(profiler)
    assert (figures["steps"], figures["first_step"]) == (2, 1)
    assert sum(figures["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert figures["shares"]["compute"] > 0 and figures["shares"]["waiting"] >= 0
    assert any(
        found["name"] == profile.WAIT for found in profile.events(tmp_path / "profile" / profile.TRACE)
    )


def test_a_run_shorter_than_the_profile_still_tells(tmp_path: Path) -> None:
    profiler = StepProfiler(tmp_path, first=0, count=9)
    profiler.step(0)
    torch.randn(8, 8) @ torch.randn(8, 8)
    profiler.end()
    assert profile.read(profiler)["steps"] == 1
    assert profile.read(StepProfiler(tmp_path, first=0, count=1)) == {}
    with pytest.raises(ValueError, match="found 0 steps"):
        StepProfiler(tmp_path, first=0, count=0)


def test_what_is_frozen_has_no_gradient_of_its_own() -> None:
    shape = Shape(parameters=1000, layers=2, hidden=4, heads=1, vocabulary=50, sequence=10)
    assert profile.flops(shape, 3) == 3 * (6 * 800 + 12 * 2 * 4 * 10)
    assert profile.flops(dataclasses.replace(shape, trainable=30), 3) == 3 * (
        4 * 800 + 2 * 30 + 12 * 2 * 4 * 10
    )


def test_the_rate_of_matrix_products_is_measured() -> None:
    assert 1e8 < profile.matrix_rate(torch.device("cpu"), seconds=0.01) < 1e14
