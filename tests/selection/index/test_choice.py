from __future__ import annotations

import pytest

from selection.index.choice import BY_LOSS, KINDS, choose, less_lossy, lists_for


@pytest.mark.parametrize(
    ("count", "memory_mb", "kind"),
    [
        (1, 1, "flat"),
        (19_999, 1, "flat"),
        (20_000, 1000, "ivf"),
        (1_000_000, 2000, "ivf"),
        (1_000_000, 1000, "ivf_sq8"),
        (1_000_000, 100, "ivf_rabitq"),
        (10_000_000, 1000, "ivf_rabitq"),
    ],
)
def test_it_takes_the_least_lossy_that_fits(count: int, memory_mb: float, kind: str) -> None:
    assert choose(count, 384, memory_mb).kind == kind


def test_a_million_vectors_take_what_the_kind_says() -> None:
    sizes = {kind: round(choose(1_000_000, 384, 0, kind).megabytes) for kind in KINDS}
    assert sizes == {"flat": 1536, "ivf": 1544, "ivf_sq8": 392, "ivf_rabitq": 64, "ivf_pq": 104, "hnsw": 1792}
    assert choose(1_000_000, 384, 0).factory == "IVF1024,RaBitQ"


def test_cells_grow_with_the_root_and_leave_k_means_enough() -> None:
    assert [lists_for(n) for n in (20_000, 100_000, 1_000_000, 100_000_000)] == [128, 256, 1024, 8192]
    assert all(lists_for(n) * 39 <= n for n in (39, 100, 1000, 5000, 20_000))


def test_nothing_and_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="found 0 vectors"):
        choose(0, 384, 100)
    with pytest.raises(ValueError, match="there is no index 'kd_tree': use one of flat, ivf"):
        choose(10, 384, 100, "kd_tree")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memory_mb", "kind", "further"),
    [
        (2000, "ivf", ["hnsw", "flat"]),
        (1600, "ivf", ["flat"]),
        (500, "ivf_sq8", []),
        (110, "ivf_rabitq", ["ivf_pq"]),
        (80, "ivf_rabitq", []),
    ],
)
def test_the_next_less_lossy_kinds_are_those_that_fit(
    memory_mb: float, kind: str, further: list[str]
) -> None:
    first = choose(1_000_000, 384, memory_mb)
    assert first.kind == kind and sorted(BY_LOSS) == sorted(KINDS)
    assert [one.kind for one in less_lossy(first, 1_000_000, 384, memory_mb)] == further
    assert less_lossy(choose(9, 384, 1), 9, 384, 1000) == []  # flat misses nothing
