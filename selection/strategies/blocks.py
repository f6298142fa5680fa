"""Scores of a million items in blocks that fit the cache, over all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from selection.strategies.pool import Floats

BLOCK = 8192  # items: 640 kB of float32 at twenty labels


def by_item(probs: Floats, work: Callable[[Floats], Any], *, turned: bool = True) -> Any:
    """(n,) of `work`, which gets blocks of items, and gives (b,).

    Turned, a block is labels by items, (k, b) contiguous: a maximum runs along thousands of items and not
    along a handful of labels. What is an elementwise function and a sum does better without, on (b, k). Either
    way `work` must add an item's numbers in an order that does not depend on where the item stands, so that
    equal rows score equal. O(n k).
    """
    n = len(probs)

    def part(start: int, stop: int) -> Any:
        block = probs[start:stop]
        return work(np.ascontiguousarray(block.T if turned else block))

    if n <= BLOCK:
        return part(0, n)
    found = np.empty(n, dtype=part(0, 1).dtype)

    def fill(start: int) -> None:
        found[start : start + BLOCK] = part(start, start + BLOCK)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, range(0, n, BLOCK)))
    return found
