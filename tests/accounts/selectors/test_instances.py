"""Instances made without Django's constructor are what the constructor makes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiToken, AuditEntry, User
from accounts.selectors.instances import maker
from accounts.selectors.prepared import given, prepared
from accounts.services import tokens
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@prepared
def narrow() -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(pk=given("pk")).select_related("user").defer("name", "user__email")


@prepared
def entry() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(pk=given("pk")).select_related("actor")


def test_its_state_is_that_of_a_stored_row() -> None:
    token = tokens.create(make_user(), "a")[0]
    made = narrow().first(pk=token.pk)
    assert (made._state.adding, made._state.db) == (False, "default")
    assert made == token
    assert made.user._state.adding is False


def test_what_was_left_out_is_read_when_asked_for() -> None:
    user = make_user()
    token = tokens.create(user, "left out")[0]
    made = narrow().first(pk=token.pk)
    assert made.get_deferred_fields() == {"name"}
    with CaptureQueriesContext(connection) as asked:
        assert (made.name, made.user.email, made.user.username) == ("left out", user.email, user.username)
    assert len(asked) == 2


def test_it_can_be_changed_and_stored() -> None:
    made = narrow().first(pk=tokens.create(make_user(), "old")[0].pk)
    made.name = "new"
    made.save(update_fields=["name"])
    assert ApiToken.objects.get(pk=made.pk).name == "new"


def test_a_relation_that_is_empty_is_none() -> None:
    stored = AuditEntry.objects.create(verb="test.stored")
    with CaptureQueriesContext(connection) as asked:
        made = entry().first(pk=stored.pk)
        assert made.actor is None
    assert len(asked) == 1


def test_whoever_listens_for_new_instances_hears_of_them() -> None:
    heard: list[object] = []

    def listen(instance: object, **_kwargs: object) -> None:
        heard.append(instance)

    post_init.connect(listen, sender=User)
    try:
        made = maker(User, ["id", "username"], "default")([7, "ana"])
    finally:
        post_init.disconnect(listen, sender=User)
    assert heard == [made]
    assert (made.pk, made.username) == (7, "ana")
    maker(User, ["id", "username"], "default")([8, "ben"])
    assert len(heard) == 1
