from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api import notices, openapi, tokens  # noqa: F401  (openapi: importing it describes our tokens)

router = SimpleRouter(trailing_slash=False)
router.register("tokens", tokens.Tokens, basename="api-token")

urlpatterns = [
    path("me", tokens.me, name="api-me"),
    path("notices", notices.notice_list, name="api-notices"),
    *router.urls,
]
