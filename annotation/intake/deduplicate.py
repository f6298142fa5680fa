"""The third station, exact duplicates: rows whose normalised text is the same.

Works on a block of candidates at a time, so memory is bounded by the block; what the database already holds
is the import service's half of the work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from annotation.intake.validate import Candidate


class Repeat(NamedTuple):
    """A candidate whose text came before in the block, and the first one with it.

    `conflict` says that both carry a label and not the same one.
    """

    candidate: Candidate
    first: Candidate

    @property
    def conflict(self) -> bool:
        mine, other = self.candidate.value, self.first.value
        return mine is not None and other is not None and mine != other


def deduplicate(block: Iterable[Candidate]) -> tuple[list[Candidate], list[Repeat]]:
    """(the first candidate of each text, the repeats), both in the order of the file.

    By content hash, which no two texts share by accident. O(n) time and memory.
    """
    firsts: dict[str, Candidate] = {}
    repeats: list[Repeat] = []
    for candidate in block:
        first = firsts.setdefault(candidate.content_hash, candidate)
        if first is not candidate:
            repeats.append(Repeat(candidate, first))
    return list(firsts.values()), repeats
