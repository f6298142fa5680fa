"""Figures of the strategies over arrays, for bench.selection.

Vectors are made up: half of them around a thousand random directions, half of them anywhere, d = 384; real
ones (MiniLM on the texts of the data folder) where they are there. Each naive twin runs right before ours, on
the same arrays and with every BLAS thread. On a machine with other work wall clocks wander, so processor
seconds stand beside.

    python -m bench._selection_engine [--quick] [--json FILE]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import _sets
from bench._report import Figure, main
from selection.strategies.apart import error_of, keep_apart, similarity
from selection.strategies.ranking import top
from selection.strategies.uncertainty import entropy, margin

NAME = "selection"
D, LABELS, SHARE = 384, 20, 0.5
REAL_SETS = ("banking77", "snips", "sib200_zh_en", "crosswoz_turns_zh")

Floats = npt.NDArray[np.float32]


def figures(quick: bool) -> Iterator[Figure]:
    items, small, picks = (40_000, 20_000, 200) if quick else (1_000_000, 100_000, 1_000)
    yield from ranked(200_000 if quick else 1_000_000, picks)
    vectors, relevance = made_up(items)
    yield from mmr("mmr", vectors, relevance, picks)
    del vectors
    vectors, relevance = made_up(small)
    if not quick:
        yield from mmr("mmr_100k", vectors, relevance, picks)
    yield from against_naive("k_center", vectors, np.zeros(small), 1.0, picks)
    yield from facility(vectors, picks)
    yield from facility_twins("facility_location", vectors[: 2_000 if quick else 10_000], picks // 10)
    yield from clustered(vectors, picks // 10)
    if quick:
        yield Figure(f"{NAME}.mmr_real.speedup", skipped="embedding real texts takes longer than --quick has")
    else:
        yield from real(picks)


def made_up(n: int, seed: int = 0) -> tuple[Floats, npt.NDArray[np.float64]]:
    """(n, d) unit vectors and (n,) margins of a softmax over 20 labels."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((1000, D), dtype=np.float32)
    vectors = np.empty((n, D), dtype=np.float32)
    relevance = np.empty(n)
    for start in range(0, n, 65_536):
        part = vectors[start : start + 65_536]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        part[::2] += centres[rng.integers(1000, size=len(part[::2]))]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
        logits = 2 * rng.standard_normal((len(part), LABELS))
        probs = np.exp(logits)
        relevance[start : start + 65_536] = margin(probs / probs.sum(axis=1, keepdims=True))
    return vectors, relevance


def ranked(n: int, picks: int) -> Iterator[Figure]:
    """Entropy of n x 20 probabilities and the best of it, against reading them once."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(LABELS), n).astype(np.float32)
    floor = min(timed(lambda: probs.max())[1] for _ in range(15))
    for name, score in (("entropy", entropy), ("margin", margin)):
        runs = [timed(lambda score=score: top(score(probs), picks))[1:] for _ in range(15)]
        wall, cpu = min(run[0] for run in runs), min(run[1] for run in runs)
        yield Figure(
            f"{NAME}.{name}.ms", 1e3 * wall, "ms", f"{1e3 * cpu:.1f} ms of processor time, {n:,} x {LABELS}"
        )
        if name == "entropy":
            against = f"one pass over the bytes, {1e3 * floor:.2f} ms"
            yield Figure(f"{NAME}.entropy.floor_ratio", wall / floor, "ratio", against)


def mmr(name: str, vectors: Floats, relevance: npt.NDArray[np.float64], picks: int) -> Iterator[Figure]:
    yield from against_naive(name, vectors, SHARE * relevance, 1 - SHARE, picks)


def against_naive(
    name: str, vectors: Floats, fixed: npt.NDArray[np.float64], weight: float, picks: int
) -> Iterator[Figure]:
    first = 0 if not fixed.any() else None
    chosen, wall, cpu = naive(vectors, fixed, weight, picks, first)
    found, own, own_cpu = timed(
        lambda: keep_apart(vectors, fixed, lambda near: -weight * near, picks, first=first)
    )
    size = f"{len(vectors):,} x {vectors.shape[1]}, k {picks}"
    yield Figure(f"{NAME}.{name}.seconds", own, "s", f"naive {wall:.2f} s; {size}")
    yield Figure(f"{NAME}.{name}.speedup", wall / own, "ratio", f"naive, {size}")
    yield Figure(
        f"{NAME}.{name}.cpu_speedup",
        cpu / own_cpu,
        "ratio",
        f"{cpu:.1f} s of processor time for naive, {own_cpu:.1f} ours",
    )
    yield Figure(
        f"{NAME}.{name}.compared", found.compared / (len(vectors) * picks), "share", "naive's products"
    )
    yield Figure(f"{NAME}.{name}.identical", bool((found.chosen == chosen).all()), "bool", "picks of naive")


def naive(
    vectors: Floats, fixed: npt.NDArray[np.float64], weight: float, picks: int, first: int | None
) -> tuple[npt.NDArray[np.int64], float, float]:
    """(picks, seconds, processor seconds) of one matrix-vector product a pick.

    What float32 cannot tell apart is decided as `apart` defines it, off the clock.
    """
    chosen = np.empty(picks, dtype=np.int64)
    flat = fixed.astype(np.float32)
    scores, near = flat.copy(), np.full(len(vectors), -np.inf, dtype=np.float32)
    width = 2 * weight * error_of(vectors.shape[1]) + 1e-6
    wall = cpu = 0.0
    for rank in range(picks):
        begun, used = time.perf_counter(), time.process_time()
        at = int(np.argmax(scores)) if rank or first is None else first
        wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - used
        if rank:
            rivals = np.flatnonzero(scores >= scores[at] - width)
            if len(rivals) > 1:
                close = [similarity(vectors[chosen[:rank]], vectors[rival]).max() for rival in rivals]
                at = int(rivals[np.argmax(fixed[rivals] - weight * np.array(close))])
        elif first is None:
            at = int(np.argmax(fixed))
        begun, used = time.perf_counter(), time.process_time()
        chosen[rank] = at
        np.maximum(near, vectors @ vectors[at], out=near)
        np.subtract(flat, np.float32(weight) * near, out=scores)
        scores[chosen[: rank + 1]] = -np.inf
        wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - used
    return chosen, wall, cpu


def facility(vectors: Floats, picks: int) -> Iterator[Figure]:
    from selection.index.graph import neighbour_graph
    from selection.strategies.coverage import NEIGHBOURS
    from selection.strategies.submodular import FacilityLocation, lazy_greedy

    graph, wall, cpu = timed(lambda: neighbour_graph(vectors, NEIGHBOURS))
    (chosen, _gains), own, own_cpu = timed(lambda: lazy_greedy(FacilityLocation(graph), picks))
    size = f"{len(vectors):,}, k {picks}, {NEIGHBOURS} neighbours"
    told = f"graph {wall:.2f} s, {cpu + own_cpu:.1f} s of processor time; {size}"
    yield Figure(f"{NAME}.facility_location.seconds", wall + own, "s", told)
    part = np.arange(0, len(vectors), max(1, len(vectors) // 2_000))
    served = np.maximum(vectors[part] @ vectors[chosen].T, 0).max(axis=1).mean()
    rng = np.random.default_rng(0)
    by_chance = vectors[rng.choice(len(vectors), picks, replace=False)]
    random = np.maximum(vectors[part] @ by_chance.T, 0).max(axis=1).mean()
    yield Figure(
        f"{NAME}.facility_location.served",
        float(served),
        "cosine",
        f"as many at random: {random:.4f}",
        float(served / random),
    )


def facility_twins(name: str, vectors: Floats, picks: int) -> Iterator[Figure]:
    """The same picks as naive greedy on the same graph, and how much of the value of greedy on all pairs."""
    from selection.index.graph import neighbour_graph
    from selection.strategies.coverage import NEIGHBOURS
    from selection.strategies.submodular import FacilityLocation, lazy_greedy

    graph = neighbour_graph(vectors, NEIGHBOURS)
    (chosen, _gains), own, _cpu = timed(lambda: lazy_greedy(FacilityLocation(graph), picks))
    function, every, naive_picks = FacilityLocation(graph), np.arange(len(vectors)), []
    for _pick in range(picks):
        gains = function.gains(every)
        gains[naive_picks] = -np.inf
        naive_picks.append(int(np.argmax(gains)))
        function.add(naive_picks[-1])
    close = np.maximum(vectors @ vectors.T, 0)  # 400 MB at 10,000
    served, dense_s = np.zeros(len(vectors), dtype=np.float32), time.perf_counter()
    for _pick in range(picks):
        worth = np.zeros(len(vectors))
        for start in range(0, len(vectors), 1_000):
            part = slice(start, start + 1_000)
            worth += np.maximum(close[part] - served[part, None], 0).sum(axis=0)
        np.maximum(served, close[:, int(np.argmax(worth))], out=served)
    dense_s = time.perf_counter() - dense_s
    size = f"{len(vectors):,}, k {picks}"
    same = float(chosen.tolist() == naive_picks)
    yield Figure(f"{NAME}.{name}.same_picks", same, "share", f"naive greedy on the graph; {size}")
    share = float(close[:, chosen].max(axis=1).sum() / served.sum())
    against = f"greedy on all pairs ({dense_s:.1f} s, ours {own:.2f} s after the graph); {size}"
    yield Figure(f"{NAME}.{name}.dense_share", share, "share", against)


def clustered(vectors: Floats, picks: int) -> Iterator[Figure]:
    """Cluster sampling beside plain `faiss.Kmeans` as it comes, looking up every item's centre included.

    In turns, of three runs each the fastest: the cores are seldom ours alone.
    """
    import faiss

    from selection.strategies.diversity import ClusterSettings, pick_kmeans
    from selection.strategies.pool import Pool

    def plain() -> None:
        learner = faiss.Kmeans(vectors.shape[1], picks)
        learner.train(vectors)
        learner.index.search(vectors, 1)

    def ours() -> None:
        pick_kmeans(pool, picks, settings=ClusterSettings(), rng=np.random.default_rng(0))

    pool = Pool(rows=np.arange(len(vectors)), embeddings=vectors)
    runs = [(timed(plain)[1:], timed(ours)[1:]) for _turn in range(3)]
    (peer, peer_cpu), (wall, cpu) = min(run[0] for run in runs), min(run[1] for run in runs)
    size = f"{len(vectors):,}, k {picks}"
    yield Figure(f"{NAME}.clusters.seconds", wall, "s", f"{size}, {cpu:.1f} s of processor time")
    against = f"plain faiss.Kmeans, {peer:.2f} s, {peer_cpu:.1f} s of processor time; {size}"
    yield Figure(f"{NAME}.clusters.kmeans_ratio", wall / peer, "ratio", against)


def real(picks: int) -> Iterator[Figure]:
    """MMR, k-center and facility location on real vectors; relevance is made up, as MiniLM has no labels."""
    try:
        vectors = np.concatenate([_sets.load(name).pool.embeddings for name in REAL_SETS])
    except _sets.SetMissing as missing:
        yield Figure(f"{NAME}.mmr_real.speedup", skipped=str(missing))
        return
    vectors = np.unique(vectors, axis=0)
    _made_up, relevance = made_up(len(vectors))
    yield from mmr("mmr_real", vectors, relevance, picks)
    yield from against_naive("k_center_real", vectors, np.zeros(len(vectors)), 1.0, picks)
    some = np.random.default_rng(0).permutation(len(vectors))[:10_000]
    yield from facility_twins("facility_location_real", vectors[some], picks // 10)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, seconds, processor seconds)."""
    begun, used = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - begun, time.process_time() - used


if __name__ == "__main__":
    raise SystemExit(main(figures))
