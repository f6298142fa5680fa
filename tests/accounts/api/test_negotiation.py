"""Which renderer answers."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.api.negotiation import Negotiation

RENDERERS = [JSONRenderer()]


def asked(accept: str | None, query: str = "") -> Request:
    headers = {} if accept is None else {"HTTP_ACCEPT": accept}
    return Request(APIRequestFactory().get(f"/{query}", **headers))


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json; indent=4", "text/html, */*"]
)
def test_it_chooses_as_the_library_does(accept: str | None) -> None:
    expected = DefaultContentNegotiation().select_renderer(asked(accept), RENDERERS)
    assert Negotiation().select_renderer(asked(accept), RENDERERS) == expected


def test_it_refuses_what_there_is_not() -> None:
    with pytest.raises(NotAcceptable):
        Negotiation().select_renderer(asked("text/html"), RENDERERS)


def test_a_format_in_the_address_is_looked_at() -> None:
    from django.http import Http404

    with pytest.raises(Http404):
        Negotiation().select_renderer(asked("*/*", "?format=xml"), RENDERERS)
