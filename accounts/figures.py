"""Figures in words, as every layer that makes sentences of them writes them."""

from __future__ import annotations

from django.utils.formats import number_format


def number(value: float, digits: int) -> str:
    """With so many digits after the decimal sign of the person's language, rounded: Django cuts them off."""
    # A template gives "" for what it does not have, in parts that a script fills.
    return number_format(value if isinstance(value, str) else round(value, digits), digits)


def percent(share: float | None, digits: int = 0) -> str:
    """0.713 -> 71 %, with the decimal sign of the person's language; None -> a dash."""
    return "–" if share is None else f"{number(100 * share, digits)} %"
