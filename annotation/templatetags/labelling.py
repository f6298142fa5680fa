"""Filters for responses, where a page works without scripts: {% load labelling %}."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from annotation import markdown
from annotation.task_types import preference

register = template.Library()


@register.filter
def letter(position: int) -> str:
    """How the response at a position, counted from 1, is called on the screen: A, B, C ..."""
    return preference.letter(position - 1)


@register.filter
def formatted(text: str) -> SafeString:
    """Markdown as HTML; raw HTML in it stays text."""
    return markdown.render(text)
