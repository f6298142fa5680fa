"""Choosing what to label: strategies over arrays, the peers on the same arrays, and the pool as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from bench import _selection_engine, _selection_peers, _selection_pool
from bench._report import Figure, main


def figures(quick: bool) -> Iterator[Figure]:
    yield from _selection_engine.figures(quick)
    yield from _selection_peers.figures(quick)
    yield from _selection_pool.figures(quick)


if __name__ == "__main__":
    raise SystemExit(main(figures))
