"""Which renderer answers: at once for those who ask for JSON or for anything, which is nearly everybody."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class Negotiation(DefaultContentNegotiation):
    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        first = renderers[0]
        is_plain = request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", first.media_type)
        if is_plain and not format_suffix and "format=" not in request.META.get("QUERY_STRING", ""):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
