"""The page of patterns, for engineers."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Pattern, Project, Role
from annotation.services import patterns
from jobs.services import jobs
from tests.factories import add_member, make_items, make_labels, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = make_project()
    texts = ["<i>money</i> back", "money please", "the money is gone"]
    make_labels(made, make_items(made, texts, split="train"), ["Refund", "Refund", "Other"])
    make_items(made, ["open money"], split="train")
    return made


def page(project: Project, name: str = "patterns", *args: object) -> str:
    return reverse(f"annotation:{name}", args=[project.slug, *args])


GIVEN = {"target": "label:refund", "kind": "keyword", "pattern": "money"}


def test_it_tries_a_pattern_and_adds_it(client: Client, project: Project) -> None:
    client.force_login(add_member(project, Role.ENGINEER))
    html = client.get(page(project), GIVEN).content.decode()
    assert "67 %<small>21 % to 94 %, n = 3" in html or "66 %<small>" in html
    assert "4 of 4 items drawn at random" in html
    assert "&lt;i&gt;<mark>money</mark>&lt;/i&gt; back" in html
    assert not Pattern.objects.exists()
    html = client.post(page(project), GIVEN, follow=True).content.decode()
    assert "Added. Open items get its suggestions now." in html
    assert "Going through the open items" in html
    assert "<code>money</code>" in html
    jobs.drain()
    assert "Going through" not in client.get(page(project)).content.decode()


def test_it_says_what_is_wrong_in_place_and_keeps_what_was_typed(client: Client, project: Project) -> None:
    client.force_login(add_member(project, Role.ENGINEER))
    answer = client.get(page(project), {**GIVEN, "kind": "regex", "pattern": "(open"})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "This pattern cannot be used: this is no regular expression" in html
    assert 'value="(open"' in html
    assert client.post(page(project), {**GIVEN, "target": "label:nonsense"}).status_code == 422


def test_patterns_are_switched_and_measured_again(client: Client, project: Project) -> None:
    user = add_member(project, Role.ENGINEER)
    client.force_login(user)
    one = patterns.add(project, user, field="label", label="refund", kind="keyword", pattern="money")
    client.post(page(project, "pattern", one.uuid), {"active": "0"})
    one.refresh_from_db()
    assert not one.is_active
    html = client.post(page(project, "patterns_measure"), follow=True).content.decode()
    assert "measured again" in html


def test_a_project_without_labels_teaches(client: Client) -> None:
    fields = [{"name": "reply", "type": "response"}]
    project = make_project(labels=(), definition={"fields": fields})
    client.force_login(add_member(project, Role.ENGINEER))
    assert "No field of this project has labels" in client.get(page(project)).content.decode()


def test_it_is_for_engineers_of_the_project(client: Client, project: Project) -> None:
    one = patterns.add(project, make_user(), field="label", label="refund", kind="keyword", pattern="money")
    for user, status in (
        (add_member(project), 403),
        (add_member(project, Role.REVIEWER), 403),
        (make_user(), 404),
    ):
        client.force_login(user)
        assert client.get(page(project)).status_code == status
        assert client.post(page(project), GIVEN).status_code == status
        assert client.post(page(project, "pattern", one.uuid), {"active": "0"}).status_code == status
        assert client.post(page(project, "patterns_measure")).status_code == status
    other = make_project()
    client.force_login(add_member(other, Role.ENGINEER))
    assert client.post(page(other, "pattern", one.uuid), {"active": "0"}).status_code == 404


def test_it_asks_as_many_questions_for_many_patterns_as_for_few(
    client: Client, project: Project, django_assert_max_num_queries
) -> None:
    user = add_member(project, Role.ENGINEER)
    for number in range(6):
        patterns.add(project, user, field="label", label="refund", kind="keyword", pattern=f"word{number}")
    client.force_login(user)
    with django_assert_max_num_queries(14):
        client.get(page(project))
