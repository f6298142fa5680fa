"""What goes wrong while people label: fields change, the page is old, the project is gone."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from rest_framework.test import APIClient

from annotation.errors import LabelRefused, SchemaChanged
from annotation.models import Annotation, Resolution
from annotation.selectors import schemas as schema_reads
from annotation.services import batches, labelling, memberships, projects, queue, schemas
from tests.factories import add_member, make_items, make_project, membership_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)
    items = make_items(made, 3, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="")
    return made


def held(project, user):
    return queue.lease(project, user, count=1)[0]


def submit(project, user, slot, value, **more):
    return labelling.submit(project, user, slot.uuid, value, client_key=uuid.uuid4().hex, **more)


def with_urgency(project, *, required: bool):
    """The project's labels and a second field."""
    definition = schema_reads.require(project).definition
    urgency = {
        "name": "urgency",
        "type": "classification",
        "labels": [{"id": "now", "name": "Now"}, {"id": "later", "name": "Later"}],
        "required": required,
    }
    return schemas.publish(project, {**definition, "fields": [*definition["fields"], urgency]})


# --- the schema changes while people label ------------------------------------------------------------------


def test_an_answer_that_still_fits_is_stored_under_the_version_it_was_given_to(project):
    ana = add_member(project)
    slot = held(project, ana)
    newer = with_urgency(project, required=False)
    stored = submit(project, ana, slot, {"label": "refund"}, schema_number=1)
    assert stored.annotation.schema_version.number == 1
    assert stored.schema == newer
    found = Resolution.objects.get(item=slot.item_id)
    assert (found.value, found.schema_version) == ({"label": "refund"}, newer)


def test_an_answer_that_fits_no_more_is_refused_and_kept(project):
    ana = add_member(project)
    slot = held(project, ana)
    newer = with_urgency(project, required=True)
    with pytest.raises(SchemaChanged, match="fields have changed while you were labelling") as refused:
        submit(project, ana, slot, {"label": "refund"}, schema_number=1)
    assert refused.value.details == {"value": {"label": "refund"}, "schema": newer.number}
    assert "urgency" in str(refused.value)
    assert not Annotation.objects.exists()
    assert held(project, ana).pk == slot.pk, "it is still theirs"
    stored = submit(project, ana, slot, {"label": "refund", "urgency": "now"}, schema_number=newer.number)
    assert stored.annotation.schema_version == newer


def test_the_refusal_and_its_reason_are_in_the_reader_s_language(project):
    ana = add_member(project)
    slot = held(project, ana)
    with_urgency(project, required=True)
    with translation.override("zh-hans"), pytest.raises(SchemaChanged) as refused:
        submit(project, ana, slot, {"label": "refund"}, schema_number=1)
    assert "缺少字段 'urgency'：请回答 label, urgency 的每一项。" in str(refused.value)


def test_an_answer_to_the_current_fields_that_does_not_fit_is_no_change_of_them(project):
    ana = add_member(project)
    with pytest.raises(LabelRefused) as refused:
        submit(project, ana, held(project, ana), {"label": "nothing"}, schema_number=1)
    assert refused.value.code == "label_refused"


def test_a_version_that_never_was_is_taken_for_the_current_one(project):
    ana = add_member(project)
    stored = submit(project, ana, held(project, ana), {"label": "refund"}, schema_number=77)
    assert stored.annotation.schema_version.number == 1


def test_a_page_without_scripts_says_that_the_fields_have_changed(project):
    ana = add_member(project)
    client = Client()
    client.force_login(ana)
    address = reverse("annotation:label", args=[project.slug])
    slot = held(project, ana)
    with_urgency(project, required=True)
    form = {"slot": slot.uuid, "client_key": "k", "schema": "1", "label": "refund"}
    html = client.post(address, form, follow=True).content.decode()
    assert "The fields have changed while you were labelling" in html
    assert 'name="schema" value="2"' in html
    assert not Annotation.objects.exists()


# --- an old page --------------------------------------------------------------------------------------------


def test_the_back_button_without_scripts_corrects_and_does_not_double(project):
    """The browser shows the old form again, with the key it had."""
    ana = add_member(project)
    client = Client()
    client.force_login(ana)
    address = reverse("annotation:label", args=[project.slug])
    form = {"slot": held(project, ana).uuid, "client_key": "old key", "schema": "1", "label": "refund"}
    client.post(address, form)
    client.post(address, form)
    assert Annotation.objects.count() == 1, "the same again stores nothing"
    client.post(address, {**form, "label": "other"})
    standing = Annotation.objects.get(superseded_by__isnull=True)
    assert standing.value == {"label": "other"}
    assert standing.supersedes.value == {"label": "refund"}
    assert Resolution.objects.get(is_current=True).votes == 1


# --- the project is gone ------------------------------------------------------------------------------------


def post_answer(project, user, slot):
    client = APIClient()
    client.force_login(user)
    body = {"slot": str(slot.uuid), "value": {"label": "refund"}, "client_key": "k", "schema": 1}
    return client.post(reverse("annotation-api:submit", args=[project.slug]), body, format="json")


def test_somebody_who_was_removed_is_told_so(project):
    ana, admin = add_member(project), add_member(project, "admin")
    slot = held(project, ana)
    memberships.deactivate(membership_of(project, ana), by=admin)
    answer = post_answer(project, ana, slot)
    assert (answer.status_code, answer.json()["code"]) == (403, "membership_ended")
    assert "do not belong to this project any more" in answer.json()["message"]
    assert not Annotation.objects.exists()


def test_a_stranger_is_not_told_that_the_project_exists(project):
    stranger = add_member(make_project())
    answer = post_answer(project, stranger, held(project, add_member(project)))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_archived_project_says_that_it_is_archived(project):
    ana = add_member(project)
    slot = held(project, ana)
    projects.archive(project)
    answer = post_answer(project, ana, slot)
    assert (answer.status_code, answer.json()["code"]) == (403, "project_archived")
