"""The Content-Security-Policy header, built once."""

from __future__ import annotations

import pytest
from csp.constants import HEADER
from csp.utils import build_policy
from django.http import HttpResponse
from django.test import RequestFactory

from config.policy import PolicyMiddleware


def answer(status: int = 200, **headers: str) -> HttpResponse:
    def view(_request):
        return HttpResponse("", status=status, headers=headers)

    response = PolicyMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    return response


def test_it_is_the_policy_of_the_settings() -> None:
    # the library puts the directives in no fixed order
    assert sorted(answer()[HEADER].split("; ")) == sorted(build_policy().split("; "))
    assert "default-src 'self'" in answer()[HEADER]
    assert "unsafe" not in answer()[HEADER]


def test_an_answer_with_a_policy_of_its_own_keeps_it() -> None:
    assert answer(**{HEADER: "default-src 'none'"})[HEADER] == "default-src 'none'"


@pytest.mark.parametrize(("status", "has_policy"), [(200, True), (403, True), (404, False), (500, False)])
def test_the_error_pages_of_debug_mode_go_without(settings, status: int, has_policy: bool) -> None:
    settings.DEBUG = True
    assert (HEADER in answer(status)) is has_policy
    settings.DEBUG = False
    assert HEADER in answer(status)
