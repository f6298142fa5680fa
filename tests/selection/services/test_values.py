"""Valuations through the services, the page, the API and the command, with a quick stand-in for the encoder."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Project, Role
from annotation.services import projects
from jobs.models import Job
from jobs.services import artifacts, running
from selection.errors import NothingToValue
from selection.selectors import values as reads
from selection.services import builds, values
from tests import factories
from training.services import programs

pytestmark = pytest.mark.django_db

WORDS = {
    "Refund": "money back refund payment",
    "Card lost": "card lost stolen gone",
    "Other": "weather joke old",
}
IDS = {"Refund": "refund", "Card lost": "card-lost", "Other": "other"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


@pytest.fixture
def engineer() -> User:
    return factories.make_user("engineer")


@pytest.fixture
def project(engineer: User) -> Project:
    """36 labelled items of three kinds of words; the first is labelled wrong. Two sources, and a pool item."""
    project = factories.make_project("Bank intents")
    factories.add_member(project, Role.ENGINEER, engineer)
    kinds = list(WORDS)
    texts = [f"{WORDS[kinds[n % 3]]} {WORDS[kinds[n % 3]]} number {n}" for n in range(36)]
    made = factories.make_items(project, texts[:18], split="train", source="web")
    made += factories.make_items(project, texts[18:], split="train", source="shop")
    labels = [kinds[n % 3] for n in range(36)]
    labels[0] = "Other"
    factories.make_labels(project, made, labels)
    test = factories.make_items(project, ["a test item about money back"], split="test")
    factories.make_labels(project, test, ["Refund"])
    factories.make_items(project, ["refund money back payment now"], split="train")
    return project


@pytest.fixture
def valued(project: Project, engineer: User) -> Job:
    with programs.in_this_process():
        job = values.launch(project, by=engineer)
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    return job


def test_it_puts_the_wrong_label_first_with_its_reasons(project: Project, valued: Job) -> None:
    page = reads.suspects(project, valued)
    first = page.rows[0]
    assert (page.total, first.row, first.label, first.rank) == (36, 0, "Other", 1)
    assert first.value == min(one.value for one in page.rows)
    assert first.reasons[0].startswith("A model that has not seen it says Refund (")
    assert first.reasons[1].startswith("Of its nearest labelled items ")
    assert first.reasons[2] == "Training does not come to agree with it."
    assert page.rows[-1].reasons == []
    summary = reads.read_summary(reads.folder(valued))
    assert {one["source"]: one["n"] for one in summary["sources"]} == {"web": 18, "shop": 18}


def test_it_says_that_a_label_misleads_where_its_value_is_below_zero() -> None:
    fine = {
        **{"label": "a", "model_label": "a", "model_probability": 0.9, "value": 0.0, "region": "easy"},
        **{"neighbour_label": "a", "neighbour_share": 1.0},
    }
    assert reads._reasons(fine, {}) == []
    assert reads._reasons({**fine, "value": -0.01}, {}) == [
        "Held-out items near to it have other labels, so it misleads."
    ]
    (reason,) = reads._reasons({**fine, "neighbour_label": "b", "neighbour_share": 0.6}, {"b": "Bee"})
    assert reason == "Of its nearest labelled items 60 % are Bee."


def test_it_never_looks_at_test_items(project: Project, valued: Job) -> None:
    rows = {one.row for one in reads.suspects(project, valued, per_page=100).rows}
    assert rows == set(range(36))


def test_it_says_which_labels_taught_a_prediction(project: Project, valued: Job) -> None:
    found = reads.attribution(project, valued, 3)
    assert found is not None
    assert (found.label, found.given) == ("Refund", "Refund")
    assert {one.label for one in found.for_it} == {"Refund"}
    assert 3 not in {one.row for one in found.for_it}
    assert 0 in {one.row for one in found.against}  # the same words under another label
    amounts = [one.amount for one in found.for_it]
    assert amounts == sorted(amounts, reverse=True) and min(amounts) > 0
    assert reads.attribution(project, valued, 9999) is None
    assert reads.attribution(project, valued, 37) is None  # in the pool, not embedded yet


def test_it_goes_on_from_the_valuation_before(project: Project, valued: Job, engineer: User) -> None:
    with programs.in_this_process():
        job = values.launch(project, by=engineer)
        assert job.pk != valued.pk
        assert values.launch(project, by=engineer).pk == job.pk  # one at a time
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"
    again = reads.suspects(project, job).rows
    assert [one.row for one in again] == [one.row for one in reads.suspects(project, valued).rows]


def test_it_starts_anew_where_the_files_before_are_gone(
    project: Project, valued: Job, engineer: User, client: Client
) -> None:
    import shutil

    folder = reads.folder(valued)
    folder.chmod(0o700)
    shutil.rmtree(folder)
    client.force_login(engineer)
    answer = client.get(reverse("selection:values", args=[project.slug]))
    assert "restore them from a backup" in answer.text and "Not worked out yet" in answer.text
    with programs.in_this_process():
        job = values.launch(project)
        running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"
    assert artifacts.path is not None and reads.folder(job).is_dir()


def test_it_refuses_too_few_labels_and_other_types() -> None:
    few = factories.make_project()
    made = factories.make_items(few, 9, split="train")
    factories.make_labels(few, made, ["Refund"] * 9)
    with pytest.raises(
        NothingToValue, match="Found 9 labelled training items of 1 labels, expected at least 10"
    ):
        values.launch(few)
    field = {"name": "stars", "type": "rating", "dimensions": [{"id": "good", "name": "Good"}], "points": 5}
    rating = projects.create("Ratings", definition={"fields": [field]})
    with pytest.raises(NothingToValue, match="this one asks for rating"):
        values.launch(rating)


def test_it_waits_for_vectors_that_are_computed_by_other_jobs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "PART_ROWS", 10)
    job = values.launch(project)
    running.run(job.pk)
    job.refresh_from_db()
    assert "are being computed by jobs of their own: try again after them" in job.error


def test_its_page_shows_suspects_sources_and_what_taught_one(
    client: Client, project: Project, engineer: User, valued: Job
) -> None:
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    text = client.get(f"{url}?row=3").text
    assert reverse("annotation:item", args=[project.slug, 0]) in text
    assert "A model that has not seen it says Refund" in text
    assert "What an item of each source is worth" in text
    assert "The labels together say <strong>Refund</strong>" in text
    assert 'class="badge good">for it' in text and 'class="badge bad">against it' in text
    assert "There is no item at row 777" in client.get(f"{url}?row=777").text
    assert client.get(f"{url}?page=99&row=x").status_code == 200


def test_its_page_teaches_before_there_is_anything_and_launches(
    client: Client, project: Project, engineer: User
) -> None:
    client.force_login(engineer)
    url = reverse("selection:values", args=[project.slug])
    assert "Not worked out yet" in client.get(url).text
    assert client.post(f"{url}/launch").url == url
    job = reads.running(project)
    assert job is not None and job.created_by == engineer
    text = client.get(url).text
    assert f'data-poll="{url}/status"' in text
    assert reverse("jobs:cancel", args=[job.uuid]) in text
    Job.objects.filter(pk=job.pk).update(state="failed", error="the disk is full")
    assert "the disk is full" in client.get(f"{url}/status").text


def test_its_page_says_why_it_cannot(client: Client, engineer: User) -> None:
    empty = factories.make_project()
    factories.add_member(empty, Role.ENGINEER, engineer)
    client.force_login(engineer)
    answer = client.post(reverse("selection:values_launch", args=[empty.slug]), follow=True)
    assert "Found 0 labelled training items" in answer.text


@pytest.mark.parametrize("name", ["values", "values_status"])
def test_its_page_is_for_engineers_of_the_project(client: Client, project: Project, name: str) -> None:
    url = reverse(f"selection:{name}", args=[project.slug])
    assert client.get(url).status_code == 302
    client.force_login(factories.make_user("outsider"))
    assert client.get(url).status_code == 404
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert client.get(url).status_code == 403


def test_the_api_tells_the_same(client: Client, project: Project, engineer: User) -> None:
    client.force_login(engineer)
    url = f"/api/v1/projects/{project.slug}/value"
    missing = client.get(url)
    assert missing.status_code == 404 and "have not been valued yet" in missing.text
    launched = client.post(url)
    assert launched.status_code == 202
    with programs.in_this_process():
        running.run(Job.objects.get(uuid=launched.json()["job"]).pk)
    found = client.get(url, {"page": 1}).json()
    assert (found["items"], found["basis"], found["page"], found["pages"]) == (36, "folds", 1, 2)
    assert found["suspects"][0]["row"] == 0
    assert {one["source"] for one in found["sources"]} == {"web", "shop"}
    taught = client.get(f"{url}/attribution/3").json()
    assert taught["label"] == "Refund" and taught["for_it"][0]["amount"] > 0
    assert client.get(f"{url}/attribution/777").status_code == 404
    client.force_login(factories.add_member(project, Role.ANNOTATOR))
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403


def test_the_command_lists_suspects_sources_and_who_taught_an_item(project: Project) -> None:
    out = StringIO()
    with programs.in_this_process():
        call_command("value", project.slug, "--first", "2", "--row", "3", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("36 labels of bank-intents, measured by each other, in folds; ")
    assert {line.split()[1] for line in lines[1:3]} == {"web:", "shop:"}
    assert lines[3].strip().startswith("1  row 0  Other") and "has not seen it says Refund" in lines[3]
    assert lines[5].startswith("row 3: Refund (")
    assert any(line.strip().startswith("for") for line in lines[6:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no project “nowhere”"),
        (["bank-intents", "--row", "777"], "there is no item at row 777"),
    ],
)
def test_the_command_says_what_is_wrong(project: Project, arguments: list[str], words: str) -> None:
    with programs.in_this_process(), pytest.raises(CommandError, match=words):
        call_command("value", *arguments, stdout=StringIO())
