"""The editor of a schema, as a browser without scripts and as one with them use it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Role, SchemaVersion
from annotation.schema_editor.draft import draft_of
from annotation.selectors import schemas as schema_reads
from tests import typed
from tests.annotation.schema_editor.test_draft import sent_by
from tests.factories import add_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project("Bank", labels=["a", "b", "c"])
    client.force_login(add_member(project, Role.ADMIN))
    return project


def page_of(project: Project) -> str:
    return reverse("annotation:labels", args=[project.slug])


def form_of(project: Project, act: str = "save", **changes: Any) -> dict[str, Any]:
    """What the form sends for the published schema, with changes."""
    draft = draft_of(schema_reads.require(project).definition)
    return {"mode": "form", "act": act, **sent_by(draft), **changes}


def test_only_admins_open_and_preview_it(client: Client) -> None:
    project = make_project("Bank")
    preview = reverse("annotation:labels_preview", args=["bank"])
    people = ((make_user(), 404), (add_member(project), 403), (add_member(project, Role.ENGINEER), 403))
    for user, status in people:
        client.force_login(user)
        assert client.get(page_of(project)).status_code == status
        assert client.post(page_of(project), form_of(project)).status_code == status
        assert client.post(preview, form_of(project)).status_code == status
    assert SchemaVersion.objects.count() == 1


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_saves_a_schema_of_each_type_unchanged_as_the_same_version(client: Client, name: str) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project(name, by=user, count=2)
    client.force_login(user)
    assert client.get(page_of(project)).status_code == 200
    answer = client.post(page_of(project), form_of(project), follow=True)
    assert "Nothing was changed: version 1 stays." in answer.text
    assert schema_reads.require(project).number == 1


def test_it_renames_adds_and_removes_labels_and_keeps_ids(client: Client, project: Project) -> None:
    form = form_of(project)
    form |= {"0.labels.name": ["Alpha", "b", "d", "e"], "0.labels.name_zh": ["甲", "", "", ""]}
    form |= {"0.labels.id": ["a", "b", "", ""], "meta_more": "channel, date"}
    assert client.post(page_of(project), form).url == reverse("annotation:settings", args=["bank"])
    schema = schema_reads.require(project)
    labels = schema_reads.label_field(schema)["labels"]
    assert [(label["id"], label["name"]) for label in labels] == [
        ("a", "Alpha"),
        ("b", "b"),
        ("d", "d"),
        ("e", "e"),
    ]
    assert (labels[0]["name_zh"], schema.number) == ("甲", 2)
    assert schema.definition["show"] == {"meta": ["channel", "date"]}


def test_it_changes_the_form_by_buttons_and_stores_nothing(client: Client, project: Project) -> None:
    typed_in = form_of(project, "add-field", new_type="rating", **{"0.title": ["Which?"]})
    answer = client.post(page_of(project), typed_in)
    assert answer.status_code == 200
    assert [one.draft.type for one in answer.context["fields"]] == ["classification", "rating"]
    assert 'value="Which?"' in answer.text
    pasted = form_of(project, "paste:0:labels", **{"0.labels.pasted": ["d\ne"]})
    answer = client.post(page_of(project), pasted, headers={"X-Requested-With": "editor"})
    assert answer.templates[0].name == "annotation/schema/_fields.html"
    assert [row["name"] for row in answer.context["draft"].fields[0].lists["labels"]] == list("abcde")
    assert SchemaVersion.objects.count() == 1


def test_it_says_in_place_what_is_wrong_and_keeps_what_was_typed(client: Client, project: Project) -> None:
    answer = client.post(page_of(project), form_of(project, **{"0.labels.name": ["x", "X", "typed"]}))
    assert answer.status_code == 422
    assert answer.context["fields"][0].draft.complaints == [
        "'x' stands for two labels: give each label a name of its own"
    ]
    assert "stands for two labels" in answer.text and 'value="typed"' in answer.text
    assert schema_reads.require(project).number == 1


def test_a_label_that_was_used_comes_back_and_says_why(client: Client) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project("multilabel", by=user, count=2)
    client.force_login(user)
    form = form_of(project)
    for name in ("id", "name", "name_zh", "colour"):
        form[f"0.labels.{name}"] = form[f"0.labels.{name}"][1:]
    form["0.labels.name"][0] = "Lost card"
    answer = client.post(page_of(project), form)
    assert (answer.status_code, "“Refund” has been used" in answer.text) == (422, True)
    rows = answer.context["draft"].fields[0].lists["labels"]
    assert [row["name"] for row in rows] == ["Refund", "Lost card", "Fee"]


def test_a_field_that_was_answered_cannot_be_removed_or_renamed(client: Client) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project("combined", by=user, count=2)
    client.force_login(user)
    answer = client.post(page_of(project), form_of(project, "remove-field:1"))
    draft = answer.context["draft"]
    assert [one.texts["name"] for one in draft.fields] == ["intent", "urgency", "topics"]
    assert "“urgency” has been answered" in draft.fields[1].complaints[0]
    answer = client.post(page_of(project), form_of(project, **{"1.name": ["haste"]}))
    assert answer.status_code == 422
    assert answer.context["draft"].fields[1].texts["name"] == "urgency"
    unanswered = typed.make_project("response", by=user)
    answer = client.post(page_of(unanswered), form_of(unanswered, "remove-field:0"))
    assert answer.context["draft"].fields == []


def test_it_goes_to_json_and_back_without_losing_what_was_typed(client: Client, project: Project) -> None:
    answer = client.post(page_of(project), form_of(project, "as-json", **{"0.title": ["Which?"]}))
    definition = json.loads(answer.context["text"])
    assert definition["fields"][0]["title"] == "Which?"
    back = {"mode": "json", "act": "as-form", "definition": answer.context["text"]}
    answer = client.post(page_of(project), back)
    assert answer.context["fields"][0].draft.texts["title"] == "Which?"
    answer = client.post(page_of(project), {**back, "act": "save"})
    assert answer.status_code == 302
    assert schema_reads.require(project).definition == definition


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{oops", "This is no JSON: at 1:2"),
        ('{"fields": []}', "the schema has no fields"),
        ('{"fields": [{"name": "x", "type": "vibes"}]}', "type &#x27;vibes&#x27;"),
        ("[" * 100_000, "This is no JSON"),
        ('{"fields": [{"name": "a", "type": "response", "title": "\\u0000"}]}', "U+0000"),
    ],
)
def test_it_says_what_is_wrong_with_json_and_keeps_it(
    client: Client, project: Project, text: str, words: str
) -> None:
    answer = client.post(page_of(project), {"mode": "json", "act": "save", "definition": text})
    assert (answer.status_code, words in answer.text) == (422, True)
    assert answer.context["text"] == text
    assert schema_reads.require(project).number == 1


def test_the_preview_shows_a_real_item_and_writes_nothing(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project("combined", by=user, count=2)
    client.force_login(user)
    form = form_of(project, **{"1.points": ["4"], "2.title": ["About?"], "meta": ["channel"]})
    with django_assert_max_num_queries(8):
        answer = client.post(reverse("annotation:labels_preview", args=[project.slug]), form)
    assert answer.status_code == 200
    assert "Ana waits in Berlin, number 0" in answer.text and "<dd>chat</dd>" in answer.text
    assert "About?" in answer.text
    assert len(answer.context["blocks"][1].scales[0].points) == 4
    assert schema_reads.require(project).number == 1


def test_the_preview_draws_what_is_sound_and_says_what_is_not(client: Client, project: Project) -> None:
    form = form_of(project) | {"field": ["0", "1"], "1.type": ["rating"], "1.name": ["quality"]}
    answer = client.post(reverse("annotation:labels_preview", args=["bank"]), form)
    assert [block.name for block in answer.context["blocks"]] == ["label"]
    assert "field &#x27;quality&#x27; has 0 dimensions" in answer.text or "has no list" in answer.text
    for text in ("", "{oops", "[]", '{"fields": 3}'):
        sent = {"mode": "json", "definition": text}
        answer = client.post(reverse("annotation:labels_preview", args=["bank"]), sent)
        assert answer.status_code == 200 and answer.context["complaints"]


def test_it_begins_for_a_project_without_a_schema(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    project = make_project("Later", labels=())
    answer = client.get(page_of(project))
    assert [one.draft.type for one in answer.context["fields"]] == ["classification"]
    draft = answer.context["draft"]
    for row, name in zip(draft.fields[0].lists["labels"], ("Yes", "No"), strict=True):
        row["name"] = name
    assert client.post(page_of(project), {"mode": "form", "act": "save", **sent_by(draft)}).status_code == 302
    assert [one["id"] for one in schema_reads.label_field(schema_reads.require(project))["labels"]] == [
        "yes",
        "no",
    ]


def test_it_edits_a_schema_of_five_hundred_labels(client: Client) -> None:
    project = make_project("Wide", labels=[f"label {number}" for number in range(500)])
    client.force_login(add_member(project, Role.ADMIN))
    assert client.get(page_of(project)).status_code == 200
    form = form_of(project)
    form["0.labels.description"] = ["why"] * 500
    assert client.post(page_of(project), form).status_code == 302
    labels = schema_reads.label_field(schema_reads.require(project))["labels"]
    assert (len(labels), labels[499]["description"]) == (500, "why")
