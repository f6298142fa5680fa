from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from annotation.models import Role
from annotation.services import datasets
from annotation.services.items import Record, add_items
from tests import typed
from tests.factories import add_member, make_project

pytestmark = pytest.mark.django_db


def test_it_streams_what_was_chosen_under_a_telling_name(client: Client) -> None:
    project = make_project("Bank")
    add_items(project, [Record(text="one", label="Refund"), Record(text="two")], source="feed")
    client.force_login(add_member(project, Role.ENGINEER))
    assert client.get(reverse("annotation:export", args=["bank"])).status_code == 200
    answer = client.post(
        reverse("annotation:export_download", args=["bank"]), {"what": "items", "format": "jsonl"}
    )
    rows = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert [(row["text"], row["label"]) for row in rows] == [("one", "refund"), ("two", None)]
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert 'filename="bank-items-' in answer.headers["Content-Disposition"]
    assert AuditEntry.objects.filter(verb="export.started", scope=project.uuid).exists()


def test_it_refuses_an_unknown_format_in_place(client: Client) -> None:
    project = make_project("Bank")
    client.force_login(add_member(project, Role.ENGINEER))
    answer = client.post(
        reverse("annotation:export_download", args=["bank"]), {"what": "items", "format": "xls"}
    )
    assert (answer.status_code, "format" in answer.context["form"].errors) == (422, True)


def test_it_lists_frozen_datasets(client: Client) -> None:
    project = make_project("Bank")
    add_items(project, [Record(text="one", label="Refund", split="train")], source="feed")
    datasets.freeze(project)
    client.force_login(add_member(project, Role.ADMIN))
    assert "v1" in client.get(reverse("annotation:export", args=["bank"])).text


def test_it_downloads_training_examples_and_says_what_cannot_be(client: Client) -> None:
    project = typed.labelled_project("response", count=2)
    client.force_login(add_member(project, Role.ENGINEER))
    page = reverse("annotation:export_download", args=[project.slug])
    sent = {"what": "training", "format": "jsonl", "split": "train", "field": "reply"}
    answer = client.post(page, sent)
    rows = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert [row["messages"][-1]["content"] for row in rows] == ["You get it back, 0.", "You get it back, 1."]
    refused = client.post(page, {**sent, "format": "csv"})
    assert (refused.status_code, "CSV has no place for" in refused.text) == (422, True)
    assert client.post(page, {**sent, "field": "nonsense"}).status_code == 422
