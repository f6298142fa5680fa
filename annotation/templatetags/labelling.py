"""Filters for responses, where a page works without scripts: {% load labelling %}."""

from __future__ import annotations

import json

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from annotation import markdown, score_words
from annotation.task_types import preference

register = template.Library()
ROLES = {"system": _("system"), "user": _("user"), "assistant": _("assistant"), "tool": _("tool")}


@register.filter
def letter(position: int) -> str:
    """How the response at a position, counted from 1, is called on the screen: A, B, C ..."""
    return preference.letter(position - 1)


@register.filter
def role_name(role: str) -> str:
    """Who speaks in a turn of a dialogue, in the reader's language."""
    return str(ROLES.get(role, role))


@register.simple_tag
def role_names() -> str:
    """All of them as JSON, for scripts that paint turns."""
    return json.dumps({role: str(name) for role, name in ROLES.items()}, ensure_ascii=False)


@register.filter
def part_name(part: str) -> str:
    """A part of a pick's score, in the reader's language."""
    return score_words.name_of(part)


@register.filter
def tag_name(tag: str) -> str:
    """What makes an item hard, in the reader's language."""
    return score_words.tag_name(tag)


@register.filter
def formatted(text: str) -> SafeString:
    """Markdown as HTML; raw HTML in it stays text."""
    return markdown.render(text)
