from __future__ import annotations

import pytest
from django.urls import reverse

from annotation.models import Comment, Role
from annotation.services import batches, discussions, queue
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project(overlap_share=0, evaluation_items=0)
    items = make_items(made, ["a strange text", "another"], split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="x")
    return made


@pytest.fixture
def thread(project):
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    return discussions.flag(project, ana, slot.uuid, "Is <b>this</b> one?").discussion


def address(project, thread=None):
    if thread is None:
        return reverse("annotation:discussions", args=[project.slug])
    return reverse("annotation:discussion", args=[project.slug, thread.uuid])


def test_the_list_leads_to_the_thread_and_text_stays_text(client, project, thread):
    client.force_login(thread.opened_by)
    assert address(project, thread) in client.get(address(project)).content.decode()
    page = client.get(address(project, thread)).content.decode()
    assert "Is &lt;b&gt;this&lt;/b&gt; one?" in page and "a strange text" in page


def test_strangers_and_those_who_have_not_looked_are_kept_out(client, project, thread):
    for user in (make_user(), add_member(project)):
        client.force_login(user)
        assert client.get(address(project, thread)).status_code == 404
        assert client.post(address(project, thread), {"text": "hi"}).status_code == 404
    assert Comment.objects.count() == 1


def test_an_answer_is_stored_once_and_a_reviewer_closes(client, project, thread):
    client.force_login(add_member(project, Role.REVIEWER))
    for _ in range(2):
        client.post(address(project, thread), {"text": "It is.", "client_key": "k"})
    assert [one.text for one in Comment.objects.all()] == ["Is <b>this</b> one?", "It is."]
    client.post(address(project, thread), {"action": "close"})
    thread.refresh_from_db()
    assert thread.closed_at is not None


def test_an_empty_answer_says_what_to_do(client, project, thread):
    client.force_login(thread.opened_by)
    page = client.post(address(project, thread), {"text": "  "}).content.decode()
    assert "Write what is to be discussed" in page


def test_flagging_works_without_scripts(client, project):
    ana = add_member(project)
    client.force_login(ana)
    [slot] = queue.lease(project, ana, count=1)
    page = reverse("annotation:label", args=[project.slug])
    asked = client.post(page, {"action": "flag", "slot": str(slot.uuid)}).content.decode()
    assert "What is unclear about this item?" in asked
    client.post(page, {"action": "flag", "slot": str(slot.uuid), "reason": "Two meanings."})
    assert Comment.objects.get().text == "Two meanings."


def test_the_api_flags_and_tells_news(client, project):
    ana, rita = add_member(project), add_member(project, Role.REVIEWER)
    client.force_login(ana)
    [slot] = queue.lease(project, ana, count=1)
    url = reverse("annotation-api:flag", args=[project.slug])
    body = {"slot": str(slot.uuid), "text": "?", "client_key": "k"}
    assert client.post(url, body, content_type="application/json").json()["flagged"] == str(slot.uuid)
    client.force_login(rita)
    [news] = client.get("/api/v1/notices").json()["notices"]
    assert news["is_unread"] and news["url"] == address(project)
    assert "1 piece of news" in client.get(reverse("annotation:home")).content.decode()
    assert client.post("/api/v1/notices", {"ids": [news["id"]]}, content_type="application/json").json() == {
        "read": 1
    }
    assert client.get("/accounts/news/").status_code == 200
