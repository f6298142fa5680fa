"""Statements built once: they give what the queryset gives, whatever they are bound to."""

from __future__ import annotations

import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField, F, QuerySet, UUIDField
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiToken, AuditEntry, User
from accounts.selectors.prepared import (
    given,
    insert,
    insert_many,
    numbered,
    numbered_places,
    prepared,
    prepared_update,
)
from accounts.services import tokens
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@prepared
def by_uuid() -> QuerySet[User]:
    return User.objects.filter(uuid=given("uuid", UUIDField()))


@prepared
def of_people(count: int) -> QuerySet[ApiToken]:
    mine = ApiToken.objects.filter(user__pk__in=numbered_places(count)).select_related("user")
    return mine.annotate(owner=F("user__username")).order_by("pk")


@prepared
def newest_name(limit: int) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=given("user")).order_by("-pk").values_list("name", flat=True)[:limit]


@prepared_update(name=given("name"), last_used_at=given("now", DateTimeField()), expires_at=None)
def rename() -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(pk=given("pk"))


def test_it_gives_the_same_instance_for_each_value() -> None:
    ana, ben = make_user(), make_user()
    assert by_uuid().first(uuid=ana.uuid) == ana
    assert by_uuid().first(uuid=str(ben.uuid)).username == ben.username
    assert by_uuid().first(uuid=uuid.uuid4()) is None


def test_it_loads_relations_and_annotations_with_the_row() -> None:
    ana, ben = make_user(), make_user()
    for user in (ana, ben, ana):
        tokens.create(user, f"of {user.username}")
    with CaptureQueriesContext(connection) as asked:
        found = of_people(2).all(**numbered([ana.pk, ben.pk]))
        assert [token.user for token in found] == [ana, ben, ana]
        assert [token.owner for token in found] == [ana.username, ben.username, ana.username]
    assert len(asked) == 1
    assert [token.user for token in of_people(1).all(**numbered([ben.pk]))] == [ben]


def test_it_gives_one_column_as_its_value() -> None:
    ana = make_user()
    tokens.create(ana, "first")
    tokens.create(ana, "second")
    assert newest_name(1).first(user=ana.pk) == "second"
    assert newest_name(5).rows(user=ana.pk) == [("second",), ("first",)]
    assert newest_name(1).first(user=0) is None


def test_it_changes_the_rows_it_names() -> None:
    ana, now = make_user(), timezone.now()
    token, other = tokens.create(ana, "a")[0], tokens.create(ana, "b")[0]
    assert rename().run(pk=token.pk, name="new", now=now) == 1
    token.refresh_from_db()
    other.refresh_from_db()
    assert (token.name, token.last_used_at, other.name) == ("new", now, "b")
    assert rename().run(pk=0, name="new", now=now) == 0


def test_it_is_built_once_a_thread_and_shape() -> None:
    assert by_uuid() is by_uuid()
    assert newest_name(1) is newest_name(1)
    assert newest_name(1) is not newest_name(2)
    elsewhere: list[object] = []

    def build() -> None:
        elsewhere.append(by_uuid())

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert elsewhere[0] is not by_uuid()


def test_it_stores_a_row_as_save_does() -> None:
    entry = insert(AuditEntry(verb="test.stored", data={"size": [1, {"ä": None}]}))
    stored = AuditEntry.objects.get(pk=entry.pk)
    assert (stored.verb, stored.data) == ("test.stored", {"size": [1, {"ä": None}]})
    assert stored.at == entry.at
    entry.refresh_from_db()


def test_it_stores_rows_over_others_where_asked_to() -> None:
    ana = make_user()
    rows = [ApiToken(user=ana, name=f"token {n}", prefix="same", digest="d") for n in range(2)]
    insert_many(rows[:1])
    insert_many(rows, on_conflict="DO NOTHING")
    assert list(ApiToken.objects.values_list("name", "last_used_at")) == [("token 0", None)]
    insert_many([])


def test_its_errors_are_djangos() -> None:
    ana = make_user()
    insert(ApiToken(user=ana, name="a", prefix="same", digest="d"))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(ApiToken(user=ana, name="b", prefix="same", digest="d"))
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            newest_name(1).first(user=ana.pk)


def test_it_fails_loudly_on_a_value_that_is_not_given() -> None:
    with pytest.raises(KeyError):
        by_uuid().first()
