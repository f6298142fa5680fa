"""The peers' own query strategies, in the place of one of ours: the same pool, probe, seeds and first batch.

They live in a venv of their own (requirements-bench.txt), whose interpreter GYRE_BENCH_PYTHON names. One
process (bench/_label_peer_side.py) stays for a run: it is sent the embeddings once, and for each batch the
probabilities, what is labelled and what is free; it answers with positions. Numbers and JSON alone travel.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from bench._selection_peers import VARIABLE
from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.registry import STRATEGIES, Strategy
from selection.strategies.uncertainty import NoSettings

SIDE = Path(__file__).with_name("_label_peer_side.py")
CHECK_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer's strategy.

    Attributes:
        package: as pip names it. most_items: of a pool that it can take here; None: any. most_pairs: likewise of
            an item and a label. why: it cannot more.
    """

    package: str
    most_items: int | None = None
    most_pairs: int | None = None
    why: str = ""


_SKACTIVEML, _SMALL_TEXT = "scikit-activeml", "small-text"
PEERS: dict[str, Peer] = {
    "scikit-activeml.margin": Peer(package=_SKACTIVEML),
    "scikit-activeml.entropy": Peer(package=_SKACTIVEML),
    "scikit-activeml.core_set": Peer(package=_SKACTIVEML),
    "scikit-activeml.typiclust": Peer(package=_SKACTIVEML),
    "scikit-activeml.badge": Peer(
        package=_SKACTIVEML,
        most_items=20_000,
        most_pairs=200_000,
        why="it holds the gradients of all items for all labels, and goes over them once a pick",
    ),
    "scikit-activeml.prob_cover": Peer(
        package=_SKACTIVEML, most_items=5_000, why="it holds the distances of all pairs of items"
    ),
    "small-text.breaking_ties": Peer(package=_SMALL_TEXT),
    "small-text.greedy_coreset": Peer(package=_SMALL_TEXT),
    "small-text.lightweight_coreset": Peer(package=_SMALL_TEXT),
    "small-text.embedding_kmeans": Peer(package=_SMALL_TEXT),
    "small-text.contrastive": Peer(package=_SMALL_TEXT),
}


class PeerFailed(Exception):
    """A peer's process ended or answered with what cannot be. The message is the reason a figure is skipped."""


def reason_to_skip(name: str, items: int, labels: int) -> str:
    """Why the peer cannot run on a pool of so many items and labels here; empty where it can."""
    peer = PEERS[name]
    python = os.environ.get(VARIABLE, "")
    if not python:
        return f"{VARIABLE} names no interpreter with requirements-bench.txt installed"
    found = versions(python)
    if peer.package not in found:
        return found.get("", f"{python} has no {peer.package}: install requirements-bench.txt there")
    if peer.most_items is not None and items > peer.most_items:
        return f"{items:,} items, at most {peer.most_items:,} here: {peer.why}"
    if peer.most_pairs is not None and items * labels > peer.most_pairs:
        return f"{items:,} items of {labels} labels, at most {peer.most_pairs:,} pairs here: {peer.why}"
    return ""


@lru_cache
def versions(python: str) -> dict[str, str]:
    """Package -> version of the peers that this interpreter has; under "" why it could not be asked."""
    try:
        done = subprocess.run(
            [python, "-P", str(SIDE), "versions"],
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"": f"{python} of {VARIABLE} could not be asked: {type(error).__name__}"}
    if done.returncode:
        return {"": f"{python} of {VARIABLE} could not be asked: {_last(done.stderr)}"}
    return cast(dict[str, str], json.loads(done.stdout))


def version_of(name: str) -> str:
    """The peer's package and its version, for the name of a run."""
    package = PEERS[name].package
    return f"{package} {versions(os.environ.get(VARIABLE, '')).get(package, '')}"


@contextmanager
def at_hand(name: str, embeddings: Floats, seed: int) -> Iterator[None]:
    """Within it a peer's name is a strategy of the registry; a strategy of ours is one anyway.

    Args:
        embeddings: (n, d) of the whole pool. seed: of all that the peer draws.

    Raises:
        PeerFailed: its process cannot be started.
    """
    if name not in PEERS:
        yield
        return
    with _process(name, seed) as asked:
        asked.tell(np.asarray(embeddings, dtype=np.float32))
        STRATEGIES[name] = Strategy(
            name=name, label=name, function=asked.pick, needs=frozenset({"probs", "embeddings"})
        )
        try:
            yield
        finally:
            del STRATEGIES[name]


class Asked:
    """The peer's process, seen from here."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name, self._process = name, process

    def tell(self, array: np.ndarray[Any, Any]) -> None:
        """Send one array as .npy, its size in bytes on a line before it."""
        held = io.BytesIO()
        np.save(held, array, allow_pickle=False)
        try:
            self._stream("stdin").write(b"%d\n" % held.tell() + held.getvalue())
            self._stream("stdin").flush()
        except OSError as error:
            raise PeerFailed(f"{self.name}: {self._said()}") from error

    def pick(self, pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
        """A strategy as ours are: the peer chooses among what ours may choose from (one of each cluster)."""
        assert pool.probs is not None and pool.taken is not None
        free = candidates(pool, count, ("probs",))
        self.tell(np.array([count, pool.probs.shape[1]], dtype=np.int64))
        for array in (pool.probs.astype(np.float64), pool.taken, free):
            self.tell(array)
        line = self._stream("stdout").readline()
        if not line:
            raise PeerFailed(f"{self.name}: {self._said()}")
        picked = np.array(json.loads(line), dtype=np.int64)
        if len(picked) != count or len(np.unique(picked)) != count or not np.isin(picked, free).all():
            raise PeerFailed(f"{self.name}: it did not answer with {count} different free items")
        return Picks(picked)

    def _stream(self, name: str) -> IO[bytes]:
        return cast(IO[bytes], getattr(self._process, name))

    def _said(self) -> str:
        self._process.wait(timeout=60)
        said = self._stream("stderr")
        said.seek(0)
        return _last(said.read().decode(errors="replace"))


@contextmanager
def _process(name: str, seed: int) -> Iterator[Asked]:
    # A file, not a pipe: warnings by the thousand would fill one, and nobody reads before the end.
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                # -P: the folder of that file has a queue.py, which must not stand for the library's.
                [os.environ.get(VARIABLE, ""), "-P", str(SIDE), name, str(seed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        except OSError as error:
            raise PeerFailed(f"{name}: its interpreter cannot be started ({error})") from error
        process.stderr = said
        try:
            yield Asked(name, process)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                _close(stream)


def _close(stream: IO[bytes] | None) -> None:
    with suppress(OSError):  # what was left to be sent, to a process that has ended
        if stream is not None:
            stream.close()


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1][:160]
