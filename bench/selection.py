"""Choosing what to label: ranking, MMR, k-center, facility location, clusters; peers on the same arrays."""

from __future__ import annotations

from collections.abc import Iterator

from bench import _selection_engine, _selection_peers
from bench._report import Figure, main


def figures(quick: bool) -> Iterator[Figure]:
    yield from _selection_engine.figures(quick)
    yield from _selection_peers.figures(quick)


if __name__ == "__main__":
    raise SystemExit(main(figures))
