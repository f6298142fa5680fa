"""What a person prefers, and how an error of ours becomes a page."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.errors import GyreError

View = Callable[[HttpRequest], HttpResponse]


class PreferencesMiddleware:
    """Use the language and time zone the person has chosen. Stands after the authentication middleware."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        if user.language in dict(settings.LANGUAGES):
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE
        with timezone.override(ZoneInfo(user.time_zone) if user.time_zone else None):
            return self.get_response(request)


class ErrorPages:
    """Show a `GyreError` that a page's view raised as a page with its sentence and status."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, GyreError):
            return None
        context = {
            "message": str(exception),
            "code": exception.code,
            "details": exception.details,
            "back_url": _came_from(request),
        }
        return render(request, "error.html", context, status=exception.status)


def _came_from(request: HttpRequest) -> str:
    """The page of ours the person was on; the first page if that is not known."""
    referer = request.headers.get("Referer", "")
    here = referer if url_has_allowed_host_and_scheme(referer, {request.get_host()}) else "/"
    return "/" if here == request.build_absolute_uri() else here
