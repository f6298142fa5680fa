"""Figures in words, as every layer that makes sentences of them writes them."""

from __future__ import annotations

from django.utils.formats import number_format


def percent(share: float | None, digits: int = 0) -> str:
    """0.713 -> 71 %, with the decimal sign of the person's language; None -> a dash."""
    # Django cuts digits off where it does not round: two thirds would be 66.6 %.
    return "–" if share is None else f"{number_format(round(100 * share, digits), digits)} %"
