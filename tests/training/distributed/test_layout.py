from __future__ import annotations

import pytest

from training.distributed.layout import Layout


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (Layout(), "one process"),
        (Layout(replicate=2), "DDP 2"),
        (Layout(replicate=2, zero=1), "ZeRO-1 2"),
        (Layout(shard=4, zero=3), "FSDP2 4 (ZeRO-3)"),
        (Layout(replicate=2, shard=2, zero=3), "HSDP 2×2"),
        (Layout(shard=2, tensor=2, zero=2), "TP 2 · FSDP2 2 (ZeRO-2)"),
        (Layout(zero=3, offload=True), "FSDP2 · CPU offload"),
    ],
)
def test_it_has_a_name_for_people(layout: Layout, name: str) -> None:
    assert layout.name == name


def test_it_counts_ranks_and_items() -> None:
    layout = Layout(pipeline=2, replicate=3, shard=2, tensor=4, zero=3, micro_batch=5, accumulation=7)
    assert (layout.ranks, layout.data, layout.batch) == (48, 6, 210)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"replicate": 0}, "replicate: found 0, expected 1 or more"),
        ({"zero": 4}, "zero: found 4, expected 0 to 3"),
        ({"shard": 2}, "2 ranks that share weights with zero 0"),
        ({"offload": True}, "offload: found zero 0"),
        ({"zero": 1, "replicate": 2, "pipeline": 2}, "ZeRO-1 in a pipeline"),
    ],
)
def test_it_refuses_what_cannot_be(fields: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Layout(**fields)  # type: ignore[arg-type]
