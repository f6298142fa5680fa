from __future__ import annotations

import uuid

import pytest

from accounts.selectors import notices as told
from annotation.errors import DiscussionRefused, SlotUnknown
from annotation.models import Comment, Discussion, Role
from annotation.selectors import discussions as selectors
from annotation.services import batches, discussions, projects, queue, reviews, telling
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project(overlap_share=0, evaluation_items=0, spot_check_share=1.0)
    items = make_items(made, 3, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="x")
    return made


def texts(user) -> list[str]:
    return [one.text for one in told.newest(user)]


def test_a_flag_opens_a_thread_and_tells_reviewers(project):
    ana, rita = add_member(project), add_member(project, Role.REVIEWER)
    [slot] = queue.lease(project, ana, count=1)
    discussions.flag(project, ana, slot.uuid, " Is a chargeback a refund? ", client_key="k")
    again = discussions.flag(project, ana, slot.uuid, "sent twice", client_key="k")
    assert again.text == "Is a chargeback a refund?"
    assert Comment.objects.count() == 1
    assert texts(rita) == [f"1 item of “{project.name}” was flagged for discussion."]
    assert texts(ana) == []
    slot.refresh_from_db()
    assert slot.state == "leased"


def test_only_the_holder_of_a_slot_may_flag_it(project):
    ana, ben = add_member(project), add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    for stranger, wanted in ((ben, slot.uuid), (ana, uuid.uuid4())):
        with pytest.raises(SlotUnknown):
            discussions.flag(project, stranger, wanted, "what is this?")


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4001])
def test_an_empty_or_endless_message_is_refused(project, text):
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    with pytest.raises(DiscussionRefused):
        discussions.flag(project, ana, slot.uuid, text)
    assert not Discussion.objects.exists()


def test_answers_tell_everybody_else_in_the_thread(project):
    ana, rita = add_member(project), add_member(project, Role.REVIEWER)
    [slot] = queue.lease(project, ana, count=1)
    thread = discussions.flag(project, ana, slot.uuid, "?").discussion
    discussions.reply(thread, rita, "It is.")
    assert texts(ana) == [f"1 new answer in a discussion of “{project.name}”, by {rita}."]
    discussions.close(thread, rita)
    discussions.close(thread, rita)
    assert selectors.listed(project, ana) == []
    thread.refresh_from_db()
    discussions.reply(thread, ana, "But why?")
    assert [one.uuid for one in selectors.listed(project, ana)] == [thread.uuid]


def test_who_has_not_looked_at_the_item_does_not_see_its_thread(project):
    ana, ben, rita = add_member(project), add_member(project), add_member(project, Role.REVIEWER)
    [slot] = queue.lease(project, ana, count=1)
    thread = discussions.flag(project, ana, slot.uuid, "?").discussion
    seen = {user: [one.uuid for one in selectors.listed(project, user)] for user in (ana, ben, rita)}
    assert seen == {ana: [thread.uuid], ben: [], rita: [thread.uuid]}


def test_people_are_told_of_new_work_pauses_and_corrections(project):
    from annotation.services import labelling

    ana, rita = add_member(project), add_member(project, Role.REVIEWER)
    telling.work_available(project)
    projects.pause(project, by=rita)
    projects.resume(project, by=rita)
    [slot] = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="k")
    review = reviews.claim_next(project, rita)
    reviews.decide(review, rita, "wrong", value={"label": "other"})
    name = f"“{project.name}”"
    assert set(texts(ana)) == {
        f"New items are waiting to be labelled in {name}.",
        f"{name} is paused: what you hold you may still submit.",
        f"{name} goes on: items are handed out again.",
        f"A reviewer looked at 1 of your answers in {name} and changed it or left a note.",
    }
