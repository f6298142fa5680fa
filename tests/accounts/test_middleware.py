from __future__ import annotations

import pytest
from django.test import RequestFactory
from django.utils import timezone, translation

from accounts.errors import GyreError
from accounts.middleware import ErrorPages, PreferencesMiddleware
from accounts.services import users

pytestmark = pytest.mark.django_db


def request_of(user, **headers):
    request = RequestFactory().get("/somewhere/", headers=headers)
    request.user = user
    return request


def test_it_uses_the_language_and_time_zone_of_the_person():
    user = users.create_user("ana", language="zh-hans")
    user.time_zone = "Asia/Shanghai"
    seen = []
    with translation.override("en"):
        PreferencesMiddleware(
            lambda request: seen.append((translation.get_language(), str(timezone.get_current_timezone())))
        )(request_of(user))
    assert seen == [("zh-hans", "Asia/Shanghai")]
    assert str(timezone.get_current_timezone()) == "UTC"


def test_it_shows_our_errors_as_a_page_and_leaves_others_alone():
    pages = ErrorPages(lambda request: None)
    request = request_of(users.create_user("ana"), referer="http://testserver/back/")
    answer = pages.process_exception(
        request, GyreError("the pool has 12 items", code="pool_small", status=409)
    )
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "the pool has 12 items" in page
    assert 'href="http://testserver/back/"' in page
    assert pages.process_exception(request, ValueError("a bug")) is None


def test_it_does_not_lead_back_to_another_site():
    request = request_of(users.create_user("ana"), referer="https://evil.example/")
    answer = ErrorPages(lambda request: None).process_exception(request, GyreError("no"))
    assert "evil.example" not in answer.content.decode()
