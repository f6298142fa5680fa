"""How a global batch is divided among ranks, whatever their number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """How a global batch is done: each rank's largest part, in how many pieces, and the factor of the rate."""

    items: int
    pieces: int
    batch: int
    rate: float


def share_out(batch: int, ranks: int, *, most: int | None = None, accumulates: bool = True) -> Share:
    """Divide a global batch among ranks; it stays constant whatever their number.

    A rank that can hold only `most` items at a time does its part in pieces and adds the gradients up. Only
    an objective whose loss does not add up over pieces (`accumulates` false: each item is set against the
    others of its batch) gets a smaller batch, and then the rate goes down in proportion (Goyal et al. 2017,
    the linear rule).

    >>> share_out(64, 3, most=8)
    Share(items=22, pieces=3, batch=64, rate=1.0)
    >>> share_out(64, 2, most=8, accumulates=False)
    Share(items=8, pieces=1, batch=16, rate=0.25)
    """
    if batch < 1 or ranks < 1 or (most is not None and most < 1):
        raise ValueError(
            f"found a batch of {batch}, {ranks} ranks and {most} items at most, expected 1 or more"
        )
    items = -(-batch // ranks)
    if most is None or items <= most:
        return Share(items, 1, batch, 1.0)
    if accumulates:
        return Share(items, -(-items // most), batch, 1.0)
    return Share(most, 1, most * ranks, most * ranks / batch)
