"""What came of an action on many items."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """`rows`: the items that it was done to. `left`: why others were left -> how many; see
    annotation/action_words.py for the reasons in words.
    """

    rows: list[int] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)

    def leave(self, reason: str) -> None:
        self.left[reason] += 1

    def add(self, other: Outcome) -> None:
        self.rows += other.rows
        self.left += other.left

    def to_json(self) -> dict[str, Any]:
        return {"done": len(self.rows), "left": dict(self.left)}
