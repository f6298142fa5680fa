"""The account page: name, language, theme, time zone, API tokens."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.context import THEME_COOKIE
from accounts.errors import GyreError
from accounts.forms import PreferencesForm, TokenForm
from accounts.models.user import Theme
from accounts.services import tokens, users

_YEAR = 365 * 24 * 3600


@login_required
@require_http_methods(["GET", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    form = PreferencesForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            users.set_preferences(request.user, **form.cleaned_data)
        except GyreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:preferences")
    return _page(request, form=form)


@login_required
@require_http_methods(["GET", "POST"])
def create_token(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":  # somebody loads the answer's address again
        return redirect("accounts:preferences")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, token_form=form, status=422)
    _token, secret = tokens.create(request.user, form.cleaned_data["name"])
    # Shown in this answer and nowhere else; no redirect, since a session or a URL would keep it.
    response = _page(request, secret=secret)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    tokens.revoke(request.user, token_id)
    messages.success(request, _("The token is revoked."))
    return redirect("accounts:preferences")


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Language and theme from the header of any page; for visitors they are kept in cookies."""
    response = HttpResponseRedirect(_next(request))
    language, theme = request.POST.get("language"), request.POST.get("theme")
    if request.user.is_authenticated:
        users.set_preferences(request.user, language=language, theme=theme)
    if language in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=_YEAR, samesite="Lax")
    if theme in Theme.values:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, samesite="Lax")
    return response


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return "/"


def _page(request: HttpRequest, *, status: int = 200, **context: object) -> HttpResponse:
    full = {
        "form": PreferencesForm(instance=request.user),
        "token_form": TokenForm(),
        "tokens": request.user.api_tokens.all(),
        **context,
    }
    return render(request, "accounts/preferences/page.html", full, status=status)
