"""Final labels: whose word stands, and when nobody's does."""

from __future__ import annotations

import uuid

import pytest

from annotation.models import Resolution, Review, Slot
from annotation.services import batches, items, labelling, projects, queue, resolutions, reviews
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)


def look(project, item, label, person=None):
    """One more person's look at an item."""
    person = person or add_member(project)
    batch = project.batches.first() or batches.publish(project, [], origin="")
    slot = Slot.objects.create(project=project, batch=batch, item=item, rank=batches.next_rank(project))
    labelling.submit(project, person, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)
    return person


def current(item):
    return Resolution.objects.filter(item=item, is_current=True).first()


def test_it_takes_the_only_word(project):
    (item,) = make_items(project, 1)
    look(project, item, "other")
    resolution = current(item)
    assert (resolution.value, resolution.method, resolution.votes) == ({"label": "other"}, "single", 1)
    assert resolution.posterior == {"label": {"other": 1.0}}


def test_it_takes_the_majority_with_its_shares(project):
    (item,) = make_items(project, 1)
    for label in ("other", "card-lost", "other"):
        look(project, item, label)
    resolution = current(item)
    assert (resolution.value, resolution.method, resolution.votes) == ({"label": "other"}, "majority", 3)
    assert resolution.posterior["label"] == pytest.approx({"other": 2 / 3, "card-lost": 1 / 3})
    assert Resolution.objects.filter(item=item).count() == 2  # alone, (tied,) then by majority


def test_it_leaves_a_tie_to_a_reviewer(project):
    (item,) = make_items(project, 1)
    look(project, item, "other")
    look(project, item, "card-lost")
    assert current(item) is None
    dispute = Review.objects.get(item=item)
    assert (dispute.kind, dispute.state) == (Review.Kind.DISPUTE, Review.State.PENDING)
    rita = add_member(project, "reviewer")
    reviews.decide(dispute, rita, Review.Verdict.RIGHT, value={"label": "card-lost"})
    resolution = current(item)
    assert (resolution.value, resolution.method) == ({"label": "card-lost"}, "review")


def test_it_closes_a_dispute_that_a_third_person_settles(project):
    (item,) = make_items(project, 1)
    for label in ("other", "card-lost", "card-lost"):
        look(project, item, label)
    assert Review.objects.get(item=item).state == Review.State.WITHDRAWN
    assert current(item).value == {"label": "card-lost"}


def test_it_puts_a_person_above_an_imported_label_and_a_reviewer_above_all(project):
    added = items.add_items(project, [items.Record(text="t", label="Other", split="train")], source="s")
    (item,) = project.items.filter(pk__in=added.item_ids)
    assert (current(item).value, current(item).method) == ({"label": "other"}, "import")
    projects.update_settings(project, spot_check_share=1.0)
    look(project, item, "card-lost")
    assert (current(item).value, current(item).method) == ({"label": "card-lost"}, "single")
    rita = add_member(project, "reviewer")
    reviews.decide(Review.objects.get(), rita, Review.Verdict.WRONG, value={"label": "refund"})
    assert (current(item).value, current(item).method) == ({"label": "refund"}, "review")
    look(project, item, "card-lost")
    assert current(item).value == {"label": "refund"}


def test_it_has_no_final_label_once_the_only_one_is_taken_back(project):
    (item,) = make_items(project, 1)
    person = look(project, item, "other")
    labelling.undo(project, person)
    assert current(item) is None


def test_it_writes_nothing_when_nothing_has_changed(project):
    (item,) = make_items(project, 1)
    look(project, item, "other")
    assert resolutions.resolve(project, [item.pk]) == []
    assert Resolution.objects.count() == 1


def test_it_tells_whose_labels_changed(project, django_capture_on_commit_callbacks):
    from annotation.signals import resolution_changed

    heard = []

    def hear(sender, project_id, item_ids, **_):
        heard.append((project_id, item_ids))

    resolution_changed.connect(hear)
    try:
        (item,) = make_items(project, 1)
        with django_capture_on_commit_callbacks(execute=True):
            look(project, item, "other")
    finally:
        resolution_changed.disconnect(hear)
    assert heard == [(project.pk, [item.pk])]


def test_it_resolves_from_the_queue_end_to_end(project):
    projects.update_settings(project, overlap_share=1.0)
    texts = make_items(project, 2, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in texts], origin="")
    for label in ("other", "other"):
        person = add_member(project)
        for slot in queue.lease(project, person, count=5):
            labelling.submit(project, person, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)
    assert [current(item).method for item in texts] == ["majority", "majority"]
