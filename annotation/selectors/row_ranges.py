"""Many rows in a few characters: "0-41,57". For forms, jobs and the audit log."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 400_000  # characters that are read: some 40,000 rows that lie apart


def to_text(rows: Iterable[int]) -> str:
    """The rows in rising order.

    >>> to_text([3, 1, 2, 9])
    '1-3,9'
    """
    runs: list[list[int]] = []
    for row in sorted(set(rows)):
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def from_text(text: str, *, most: int) -> list[int]:
    """The rows in rising order, no more than `most` of them. Nonsense is left out.

    >>> from_text("1-3,x,9", most=10)
    [1, 2, 3, 9]
    """
    rows: set[int] = set()
    for part in text[:LONGEST].split(","):
        first, _dash, last = part.strip().partition("-")
        if not all(one.isascii() and one.isdecimal() and len(one) < 16 for one in (first, last or first)):
            continue
        low, high = int(first), int(last or first)
        rows.update(range(low, min(high, low + most) + 1))
        if len(rows) >= most:
            break
    return sorted(rows)[:most]


def holds(text: str, row: int) -> bool:
    """Whether a row is in ranges that `to_text` wrote.

    >>> holds("1-3,9", 2), holds("1-3,9", 4)
    (True, False)
    """
    for part in text.split(","):
        first, _dash, last = part.partition("-")
        if first.isdecimal() and int(first) <= row <= int(last or first):
            return True
    return False
