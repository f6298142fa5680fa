from __future__ import annotations

import datetime

import pytest
from django.core import mail
from django.utils import timezone

from accounts import notice_kinds
from accounts.models import Notice
from accounts.selectors import notices as selectors
from accounts.services import notices
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kind(monkeypatch):
    said = {"tests.news": lambda params, count: f"{params['what']} x{count}"}
    monkeypatch.setattr(notice_kinds, "KINDS", said)


def test_it_tells_each_person_once_while_unread_and_counts_up():
    ana, ben = make_user(), make_user()
    assert notices.tell([ana, ben, ana], "tests.news", key="a", what="one") == 2
    notices.tell([ana], "tests.news", key="a", what="two", count=3)
    assert [told.text for told in selectors.newest(ana)] == ["two x4"]
    assert [told.text for told in selectors.newest(ben)] == ["one x1"]
    assert (selectors.unread_count(ana), selectors.unread_count(ben)) == (1, 1)


def test_what_was_read_is_told_anew():
    ana = make_user()
    notices.tell([ana], "tests.news", what="one")
    assert notices.read(ana) == 1
    assert notices.read(ana) == 0
    notices.tell([ana], "tests.news", what="two")
    assert [(one.text, one.is_unread) for one in selectors.newest(ana)] == [
        ("two x1", True),
        ("one x1", False),
    ]


def test_nobody_reads_the_news_of_others():
    ana, ben = make_user(), make_user()
    notices.tell([ana], "tests.news", what="one")
    assert notices.read(ben, [Notice.objects.get().pk]) == 0
    assert selectors.unread_count(ana) == 1


def test_people_who_left_are_told_nothing():
    gone = make_user()
    gone.is_active = False
    gone.save(update_fields=["is_active"])
    assert notices.tell([gone], "tests.news", what="one") == 0


def test_it_mails_once_what_stays_unread_to_those_who_want_mail():
    wants, not_ = make_user(email="a@example.org"), make_user(email="b@example.org")
    wants.mails_notices = True
    wants.save(update_fields=["mails_notices"])
    notices.tell([wants, not_], "tests.news", key="1", what="one")
    assert notices.send_mails() == 0  # it may be read at the page yet
    Notice.objects.update(created_at=timezone.now() - datetime.timedelta(minutes=5))
    notices.tell([wants], "tests.news", key="2", what="fresh")
    assert notices.send_mails() == 1
    assert [one.to for one in mail.outbox] == [["a@example.org"]]
    assert "- one x1" in mail.outbox[0].body and "fresh" not in mail.outbox[0].body
    assert notices.send_mails() == 0


def test_a_kind_that_nobody_knows_any_more_shows_its_name():
    assert notice_kinds.sentence("gone.kind", {}, 1) == "gone.kind"
    notice_kinds.register("tests.other", print)
    with pytest.raises(ValueError, match="registered twice"):
        notice_kinds.register("tests.other", repr)
