"""Template context that every page gets from this app."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models.user import Theme

THEME_COOKIE = "gyre_theme"  # for visitors who are not logged in


def appearance(request: HttpRequest) -> dict[str, dict[str, str]]:
    """`appearance.theme`: auto, light or dark."""
    user = getattr(request, "user", None)
    theme = (
        user.theme if user is not None and user.is_authenticated else request.COOKIES.get(THEME_COOKIE, "")
    )
    return {"appearance": {"theme": theme if theme in Theme.values else Theme.AUTO.value}}
