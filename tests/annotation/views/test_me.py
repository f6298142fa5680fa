from __future__ import annotations

import uuid

import pytest
from django.test import Client

from annotation.models import Review, Role
from annotation.services import batches, labelling, queue, reviews
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_teaches_who_belongs_to_no_project(client: Client) -> None:
    client.force_login(factories.make_user())
    assert "No project yet" in client.get("/me").content.decode()


def test_it_shows_nothing_of_projects_one_does_not_belong_to(client: Client) -> None:
    project, other = factories.make_project("Mine"), factories.make_project("Other one")
    client.force_login(factories.add_member(project))
    html = client.get(f"/me?project={other.slug}").content.decode()
    assert "Other one" not in html
    assert "Mine" in html
    assert "none yet" in html


def test_it_shows_pace_agreement_and_feedback(client: Client) -> None:
    project = factories.make_project(overlap_share=1, evaluation_items=0, spot_check_share=1)
    items = factories.make_items(project, ["first text", "second text"], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test")
    ana, bo = factories.add_member(project), factories.add_member(project)
    for person, labels in ((ana, ["refund", "other"]), (bo, ["refund", "refund"])):
        for slot, label in zip(queue.lease(project, person, count=2), labels, strict=True):
            labelling.submit(
                project, person, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex, active_ms=4000
            )
    check = Review.objects.get(kind="spot_check", annotation__labeller__user=ana, item=items[1])
    reviewer = factories.add_member(project, Role.REVIEWER)
    reviews.decide(check, reviewer, "wrong", value={"label": "refund"}, note="Money should come back.")
    client.force_login(ana)
    html = client.get("/me").content.decode()
    assert "Money should come back." in html
    assert "second text" in html
    assert "4 s" in html
    assert "Labels a day" in html
    assert bo.username not in html
    assert "n = 1" in html  # one of her answers was checked
