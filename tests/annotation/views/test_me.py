from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from annotation.models import Review, Role, Slot
from annotation.services import batches, gold, labelling, queue, reviews
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


def test_it_tells_results_on_gold_items_where_the_project_says_so(client: Client) -> None:
    project = factories.make_project(
        overlap_share=0, evaluation_items=0, gold_share=1, gold_feedback=True, self_consistency_share=0
    )
    work, known = factories.make_items(project, ["an item", "a known item"], split="train")
    gold.set_items(project, [gold.GoldRow(row=known.row, label="refund", note="Look at the word money.")])
    batches.publish(project, [batches.Pick(row=work.row)], origin="test")
    ana = factories.add_member(project)
    for slot in queue.lease(project, ana, count=2):
        labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key=uuid.uuid4().hex)
    client.force_login(ana)
    assert "a known item" not in client.get("/me").content.decode()
    Slot.objects.update(done_at=timezone.now() - timedelta(hours=2))
    html = client.get("/me").content.decode()
    assert "a known item" in html
    assert "Look at the word money." in html
    assert "0 of 1 as expected" in html
