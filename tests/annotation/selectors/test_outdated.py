"""What a change of the schema leaves behind, and queueing it again."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Slot
from annotation.selectors import schemas as schema_reads
from annotation.selectors.outdated import Outdated, outdated
from annotation.services import schemas
from tests.factories import add_member, make_items, make_labels, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project()
    items = make_items(made, 4)
    make_labels(made, items, ["Refund", "Refund", "Other", "Card lost"])
    return made


def add_field(project, **more):
    definition = schema_reads.require(project).definition
    labels = [{"id": "now", "name": "Now"}, {"id": "later", "name": "Later"}]
    field = {"name": "urgency", "type": "classification", "labels": labels, **more}
    return schemas.publish(project, {**definition, "fields": [*definition["fields"], field]})


def add_label(project, name="Fees"):
    return schemas.publish_labels(
        project, [*schema_reads.label_field(schema_reads.require(project))["labels"], name]
    )


def test_nothing_is_outdated_while_there_is_one_version(project):
    assert outdated(project) == Outdated(1)
    assert outdated(make_project(labels=())) is None


def test_a_new_field_makes_all_labels_misfits(project):
    first = project.items.filter(duplicate_of__isnull=True)
    rows = list(first.order_by("row").values_list("row", flat=True))
    add_field(project)
    found = outdated(project)
    assert (found.misfits, found.before, found.version) == (rows, [], 2)
    assert found.misfit_rows == f"{rows[0]}-{rows[-1]}"


def test_a_field_that_waits_for_a_label_concerns_only_those_that_have_it(project):
    add_field(project, when={"field": "label", "in": ["refund"]})
    refunds = list(project.items.filter(resolutions__value__label="refund").values_list("row", flat=True))
    assert outdated(project).misfits == sorted(refunds)


def test_a_field_that_may_stay_empty_and_a_new_name_change_nothing(project):
    add_field(project, required=False)
    definition = schema_reads.require(project).definition
    first = {**definition["fields"][0], "title": "What is it about?"}
    schemas.publish(project, {**definition, "fields": [first, *definition["fields"][1:]]})
    assert not outdated(project)


def test_a_new_label_may_concern_all_before_it(project):
    add_label(project)
    found = outdated(project)
    assert (found.misfits, len(found.before), found.added) == ([], 4, ["Fees"])
    [later] = make_items(project, 1)
    make_labels(project, [later], ["Fees"])
    assert later.row not in outdated(project).before


def test_it_costs_three_queries(project):
    add_label(project)
    add_field(project)
    outdated(project)  # the current version is read once in a process
    with CaptureQueriesContext(connection) as asked:
        outdated(project)
    assert len(asked) <= 3


@pytest.mark.parametrize("page", ["settings", "labels"])
def test_the_page_says_how_many_and_queues_them(project, page):
    admin = add_member(project, "admin")
    client = Client()
    client.force_login(admin)
    address = reverse(f"annotation:{page}", args=[project.slug])
    assert "Labels from before the last change" not in client.get(address).content.decode()
    add_field(project)
    html = client.get(address).content.decode()
    assert "4 labels do not fit version 2: they must be looked at again." in html
    form = {"action": "relabel", "to": "everybody", "rows": outdated(project).misfit_rows}
    client.post(reverse("annotation:item_act", args=[project.slug]), form)
    assert Slot.objects.filter(project=project, state="free").count() == 4
    client.post(reverse("annotation:item_act", args=[project.slug]), form)
    assert Slot.objects.filter(project=project).count() == 4, "none is queued twice"
