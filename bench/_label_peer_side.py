"""The peers' side of bench.label_efficiency: a script in their own venv, with NumPy and the peers alone.

    python bench/_label_peer_side.py versions       prints {"package": "version", ...}
    python bench/_label_peer_side.py NAME SEED      embeddings in, then for each batch a line of positions out

Every peer is told the probabilities of the probe; none trains a model of its own. Settings are its defaults.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

PACKAGES = ("scikit-activeml", "small-text")

# (probs, labelled, free, count) -> positions
Ask = Callable[[Any, Any, Any, int], Any]


def _skactiveml(name: str, embeddings: Any, seed: int) -> Ask:
    from skactiveml import pool
    from skactiveml.base import SkactivemlClassifier

    class Told(SkactivemlClassifier):
        """A classifier that says of the free items what the probe has said."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return self.told

    made: list[Any] = []  # one object for the run: prob_cover keeps its distances

    def strategy(labels: int) -> Any:
        if not made:
            made.append(
                {
                    "margin": lambda: pool.UncertaintySampling(method="margin_sampling", random_state=seed),
                    "entropy": lambda: pool.UncertaintySampling(method="entropy", random_state=seed),
                    "core_set": lambda: pool.CoreSet(random_state=seed),
                    "typiclust": lambda: pool.TypiClust(random_state=seed),
                    "badge": lambda: pool.Badge(random_state=seed),
                    "prob_cover": lambda: pool.ProbCover(n_classes=labels, random_state=seed),
                }[name]()
            )
        return made[0]

    def ask(probs: Any, labelled: Any, free: Any, count: int) -> Any:
        known = np.full(len(embeddings), np.nan)
        known[labelled] = 0  # that it is labelled is all these strategies look at
        words: dict[str, Any] = {"X": embeddings, "y": known, "candidates": free, "batch_size": count}
        if name in ("margin", "entropy", "badge"):
            told = Told(classes=list(range(probs.shape[1])))
            told.told = probs[free]
            words |= {"clf": told, "fit_clf": False}
        return strategy(probs.shape[1]).query(**words)

    return ask


def _small_text(name: str, embeddings: Any, seed: int) -> Ask:
    import small_text

    strategy = {
        "breaking_ties": small_text.BreakingTies,
        "greedy_coreset": small_text.GreedyCoreset,
        "lightweight_coreset": small_text.LightweightCoreset,
        "embedding_kmeans": small_text.EmbeddingKMeans,
        "contrastive": small_text.ContrastiveActiveLearning,
    }[name]()
    every = np.arange(len(embeddings))  # the data set: an item is its position
    np.random.seed(seed)  # small-text draws from NumPy's global state

    class Told:
        """A classifier that says what the probe has said."""

        def __init__(self, probs: Any) -> None:
            self.probs = probs

        def predict_proba(self, items: Any) -> Any:
            return self.probs[items]

        def embed(self, items: Any, return_proba: bool = False, pbar: Any = None) -> Any:
            return (embeddings[items], self.probs[items]) if return_proba else embeddings[items]

    def ask(probs: Any, labelled: Any, free: Any, count: int) -> Any:
        known = np.zeros(len(labelled), dtype=np.int64)
        return strategy.query(Told(probs), every, free, labelled, known, n=count)

    return ask


MAKERS = {"scikit-activeml": _skactiveml, "small-text": _small_text}


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def serve(name: str, seed: int) -> None:
    """Answer until standard input ends. What a peer prints goes to standard error, not between the answers."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    def read() -> Any:
        size = int(sys.stdin.buffer.readline())
        return np.load(io.BytesIO(sys.stdin.buffer.read(size)), allow_pickle=False)

    package, _dot, strategy = name.partition(".")
    ask = MAKERS[package](strategy, read(), seed)
    while sys.stdin.buffer.peek(1):
        count, _labels = read().tolist()
        picked = ask(read(), read(), read(), count)
        print(json.dumps(np.asarray(picked).tolist()), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "versions":
        print(json.dumps(versions()))
    else:
        serve(sys.argv[1], int(sys.argv[2]))
