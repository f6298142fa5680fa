"""The peers of bench.selection, in a venv of their own (requirements-bench.txt): the same arrays, right
beside.

`GYRE_BENCH_PYTHON` names its interpreter. This file runs there as a script, with NumPy and the peer alone:

    python bench/_selection_peers.py NAME N K     prints {"seconds": ...} or {"skipped": "why"}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

D, LABELS = 384, 20
VARIABLE = "GYRE_BENCH_PYTHON"
# (figure, peer, items, picks) at full size; --quick takes the last two.
TASKS = (
    ("entropy", "scikit-activeml", 1_000_000, 1_000, 100_000, 100),
    ("entropy", "modAL", 1_000_000, 1_000, 100_000, 100),
    ("entropy", "small-text", 100_000, 1_000, 20_000, 100),
    ("mmr", "pyversity", 100_000, 1_000, 5_000, 50),
    ("k_center", "scikit-activeml", 10_000, 100, 1_000, 20),
    ("k_center", "small-text", 10_000, 100, 1_000, 20),
    ("facility_location", "apricot", 10_000, 100, 1_000, 20),
    ("facility_location", "submodlib", 10_000, 100, 1_000, 20),
)


def arrays(n: int) -> tuple[Any, Any]:
    """(vectors, probs): the same for a peer and for us."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, D), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, rng.dirichlet(np.ones(LABELS), n).astype(np.float32)


def _entropy_skactiveml(vectors: Any, probs: Any, k: int) -> Any:
    from skactiveml.pool import uncertainty_scores

    return lambda: np.argsort(-uncertainty_scores(probs, method="entropy"))[:k]


def _entropy_modal(vectors: Any, probs: Any, k: int) -> Any:
    from modAL.uncertainty import _proba_entropy

    return lambda: np.argsort(-_proba_entropy(probs))[:k]


def _entropy_small_text(vectors: Any, probs: Any, k: int) -> Any:
    from small_text.query_strategies.strategies import PredictionEntropy

    class Told:
        def predict_proba(self, dataset: Any) -> Any:
            return dataset

    every, none = np.arange(len(probs)), np.array([], dtype=np.int64)
    return lambda: PredictionEntropy().query(Told(), probs, every, none, none, n=k)


def _mmr_pyversity(vectors: Any, probs: Any, k: int) -> Any:
    from pyversity import Strategy, diversify

    scores = np.sort(probs, axis=1)
    relevance = 1 - (scores[:, -1] - scores[:, -2])
    return lambda: diversify(vectors, relevance, k, strategy=Strategy.MMR, diversity=0.5)


def _k_center_skactiveml(vectors: Any, probs: Any, k: int) -> Any:
    from skactiveml.pool import k_greedy_center

    labels = np.full(len(vectors), np.nan)
    labels[0] = 0
    return lambda: k_greedy_center(vectors, labels, batch_size=k, random_state=0)


def _k_center_small_text(vectors: Any, probs: Any, k: int) -> Any:
    from small_text.query_strategies.coresets import greedy_coreset

    every = np.arange(len(vectors))
    return lambda: greedy_coreset(vectors, every[1:], every[:1], k, normalized=True)


def _facility_apricot(vectors: Any, probs: Any, k: int) -> Any:
    from apricot import FacilityLocationSelection

    return lambda: FacilityLocationSelection(k, metric="cosine").fit(vectors)


def _facility_submodlib(vectors: Any, probs: Any, k: int) -> Any:
    from submodlib import FacilityLocationFunction

    def run() -> Any:
        made = FacilityLocationFunction(n=len(vectors), mode="dense", data=vectors, metric="cosine")
        return made.maximize(budget=k, optimizer="LazyGreedy", show_progress=False)

    return run


PEERS: dict[tuple[str, str], Callable[[Any, Any, int], Any]] = {
    ("entropy", "scikit-activeml"): _entropy_skactiveml,
    ("entropy", "modAL"): _entropy_modal,
    ("entropy", "small-text"): _entropy_small_text,
    ("mmr", "pyversity"): _mmr_pyversity,
    ("k_center", "scikit-activeml"): _k_center_skactiveml,
    ("k_center", "small-text"): _k_center_small_text,
    ("facility_location", "apricot"): _facility_apricot,
    ("facility_location", "submodlib"): _facility_submodlib,
}


def _ours(figure: str, n: int, k: int) -> float:
    from selection.index.graph import neighbour_graph
    from selection.strategies.apart import keep_apart
    from selection.strategies.ranking import top
    from selection.strategies.submodular import FacilityLocation, lazy_greedy
    from selection.strategies.uncertainty import entropy, margin

    vectors, probs = arrays(n)
    work = {
        "entropy": lambda: top(entropy(probs), k),
        "mmr": lambda: keep_apart(vectors, 0.5 * margin(probs), lambda near: -0.5 * near, k),
        "k_center": lambda: keep_apart(vectors, np.zeros(n), np.negative, k, members=vectors[:1]),
        "facility_location": lambda: lazy_greedy(FacilityLocation(neighbour_graph(vectors, 32)), k),
    }[figure]
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def figures(quick: bool) -> Iterator[Any]:
    from bench._report import Figure

    python = os.environ.get(VARIABLE, "")
    for figure, peer, *sizes in TASKS:
        n, k = sizes[2:] if quick else sizes[:2]
        name = f"selection.peer.{figure}.{peer.lower().replace('-', '_')}"
        if not python:
            reason = f"{VARIABLE} names no interpreter with requirements-bench.txt installed"
            yield Figure(name, skipped=reason)
            continue
        found = _ask(python, figure, peer, n, k, seconds=40 if quick else 300)
        if "skipped" in found:
            yield Figure(name, skipped=found["skipped"])
            continue
        own = _ours(figure, n, k)
        yield Figure(name, found["seconds"], "s", f"ours {own:.3f} s; {n:,}, k {k}", found["seconds"] / own)


def _ask(python: str, figure: str, peer: str, n: int, k: int, *, seconds: int) -> dict[str, Any]:
    try:
        done = subprocess.run(
            # -P: the folder of this file has a queue.py, which must not stand for the library's.
            [python, "-P", str(Path(__file__).resolve()), f"{figure}/{peer}", str(n), str(k)],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"skipped": f"{peer}: {type(error).__name__} ({seconds} s allowed)"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = done.stderr.strip().splitlines() or ["no output"]
        return {"skipped": f"{peer}: {last[-1][:120]}"}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _script() -> None:
    figure, peer = sys.argv[1].split("/")
    n, k = int(sys.argv[2]), int(sys.argv[3])
    vectors, probs = arrays(n)
    work = PEERS[figure, peer](vectors, probs, k)
    begun = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    _script()
