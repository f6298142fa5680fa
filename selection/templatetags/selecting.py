"""Filters for pages about rounds: {% load selecting %}."""

from __future__ import annotations

from django import template

from selection import strategy_words

register = template.Library()


@register.filter
def strategy_name(strategy: str) -> str:
    """A strategy in the reader's language."""
    return strategy_words.name_of(strategy)
