from __future__ import annotations

import pytest
import torch.distributed as dist

from training.distributed.layout import check_language_name, check_name
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
    ("name", "ranks", "words"),
    [
        (
            "tp",
            2,
            "layout: found tp, expected one of auto, ddp, zero1, .*, hsdp: a language model is divided by",
        ),
        ("gpipe", 2, "layout: found gpipe, expected one of auto, .*; use zero3"),
        ("zero4", 2, "layout: found 'zero4', expected one of auto"),
        ("hsdp", 2, "found hsdp for 2 processes, expected an even number of 4 or more"),
    ],
)
def test_a_language_model_is_refused_what_it_cannot(name: str, ranks: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_language_name(name, ranks)


def test_compression_is_refused_beside_offload() -> None:
    with pytest.raises(ValueError, match="found topk with the layout zero3_offload, expected none"):
        check_name("zero3_offload", 2, "topk")
