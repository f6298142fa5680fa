"""Guidelines are Markdown. Raw HTML in them is shown as text, links open nothing but http, https and mail."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def _without_styles(state: StateCore) -> None:
    """Columns of a table are aligned by inline styles, which the content security policy refuses."""
    for token in state.tokens:
        token.attrs.pop("style", None)


_MARKDOWN.core.ruler.push("without_styles", _without_styles)


def render(text: str) -> SafeString:
    """HTML of a Markdown text, safe to show: html is off, and javascript: and data: links are refused."""
    return mark_safe(_MARKDOWN.render(text))
