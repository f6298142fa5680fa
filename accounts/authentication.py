"""API authentication by `Authorization: Bearer gyre_...`."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.services import tokens


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        # not request.headers, which reads them all
        words = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace").split()
        if not words or words[0].lower() not in (b"bearer", b"token"):
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("The Authorization header must be “Bearer” and one token."))
        token = tokens.authenticate(words[1].decode("latin-1"))
        if token is None:
            raise AuthenticationFailed(
                _("This API token is unknown, expired or revoked: make a new one on your account page.")
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
