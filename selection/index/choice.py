"""Which index for how many vectors within how much memory. What it is worth is measured when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["flat", "ivf", "ivf_sq8", "ivf_rabitq", "ivf_pq", "hnsw"]
KINDS: tuple[Kind, ...] = ("flat", "ivf", "ivf_sq8", "ivf_rabitq", "ivf_pq", "hnsw")

BY_LOSS: tuple[Kind, ...] = ("ivf_rabitq", "ivf_pq", "ivf_sq8", "ivf", "hnsw", "flat")  # the most lossy first
LOSSY: tuple[Kind, ...] = ("ivf_sq8", "ivf_rabitq", "ivf_pq")  # codes: more candidates, ranked by the column

FLOOR = 0.93  # recall at 10 that is aimed at: below it a less lossy kind is tried
FLAT_BELOW = 20_000  # vectors that one exact product looks at in a few milliseconds
LEAST_LISTS, MOST_LISTS = 64, 16_384
PROBES = 16
EFFORT = 32  # of HNSW: candidates kept on the way through the graph
BYTES_OF_ID = 8


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An index to be built.

    Attributes:
        kind: its name. factory: FAISS's own word for it.
        lists: cells of the inverted file; 0 where it has none. probes: cells looked at for a query at first, or
            the effort of a graph; 0 where all is looked at.
        megabytes: about what it takes.
    """

    kind: Kind
    factory: str
    lists: int
    probes: int
    megabytes: float


def choose(count: int, width: int, memory_mb: float, kind: Kind | None = None) -> Choice:
    """The index for `count` vectors of `width` numbers: the least lossy that fits into `memory_mb`.

    Flat below 20,000 (exact); then an inverted file with whole vectors, with one byte a number (SQ8), or with
    one bit a number (RaBitQ), which is taken where nothing else fits. HNSW and PQ are built where they are asked
    for by `kind`: HNSW takes minutes to build and more memory than whole vectors, and PQ more memory than RaBitQ
    without finding more.

    Raises:
        ValueError: an unknown kind, or nothing to index.

    >>> choose(1_000_000, 384, 2000).kind, choose(1_000_000, 384, 500).kind, choose(9_000, 384, 1).kind
    ('ivf', 'ivf_sq8', 'flat')
    """
    if count < 1 or width < 1:
        raise ValueError(f"found {count} vectors of {width} numbers, expected some: embed the pool first")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"there is no index {kind!r}: use one of {', '.join(KINDS)}")
    if kind is None:
        fitting = [one for one in ("ivf", "ivf_sq8") if _choice(one, count, width).megabytes <= memory_mb]
        kind = "flat" if count < FLAT_BELOW else (fitting[0] if fitting else "ivf_rabitq")  # type: ignore[assignment]
    return _choice(kind, count, width)


def less_lossy(than: Choice, count: int, width: int, memory_mb: float) -> list[Choice]:
    """The less lossy kinds that fit into `memory_mb`, the next one first: what to build where `than` finds too
    little of these very vectors. HNSW is one of them (minutes to build), and flat, which misses nothing.

    >>> [one.kind for one in less_lossy(choose(1_000_000, 384, 2000), 1_000_000, 384, 2000)]
    ['hnsw', 'flat']
    """
    kinds = BY_LOSS[BY_LOSS.index(than.kind) + 1 :]
    return [made for made in (_choice(kind, count, width) for kind in kinds) if made.megabytes <= memory_mb]


def _choice(kind: str | None, count: int, width: int) -> Choice:
    lists = lists_for(count)
    codes = max(
        one for one in range(1, width // 4 + 2) if width % one == 0
    )  # of PQ: four numbers a byte or so
    factory, size = {
        "flat": ("Flat", 4 * width),
        "ivf": (f"IVF{lists},Flat", 4 * width + BYTES_OF_ID),
        "ivf_sq8": (f"IVF{lists},SQ8", width + BYTES_OF_ID),
        "ivf_rabitq": (f"IVF{lists},RaBitQ", width // 8 + 8 + BYTES_OF_ID),
        "ivf_pq": (f"IVF{lists},PQ{codes}", codes + BYTES_OF_ID),
        "hnsw": ("HNSW32,Flat", 4 * width + 32 * 2 * 4),
    }[str(kind)]
    has_lists = str(kind).startswith("ivf")
    return Choice(
        kind=kind,  # type: ignore[arg-type]
        factory=factory,
        lists=lists if has_lists else 0,
        probes=min(PROBES, lists) if has_lists else (EFFORT if kind == "hnsw" else 0),
        megabytes=count * size / 1e6,
    )


def lists_for(count: int) -> int:
    """The power of two next to the root of `count`, at most a 39th of it: k-means wants 39 vectors a cell."""
    lists = LEAST_LISTS
    while lists * lists * 2 < count and lists < MOST_LISTS:
        lists *= 2
    while lists > 1 and lists * 39 > count:
        lists //= 2
    return lists
