from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Role
from annotation.selectors import schemas as schema_reads
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project("Bank", labels=["a", "b", "c"])
    client.force_login(add_member(project, Role.ADMIN))
    return project


def settings_of(project: Project, **changes: object) -> dict[str, object]:
    """What the settings form sends for the project as it is, with changes."""
    from annotation.forms import SettingsForm

    found = {name: SettingsForm(instance=project)[name].value() for name in SettingsForm.Meta.fields}
    sent = {**found, **changes}
    return {name: value for name, value in sent.items() if value is not None and value is not False}


def test_it_tells_outsiders_nothing_and_lets_only_admins_change_a_project(client: Client) -> None:
    project = make_project("Bank")
    gets = [
        reverse(f"annotation:{name}", args=["bank"])
        for name in ("settings", "labels", "project_clone", "people")
    ]
    posts = [reverse(f"annotation:{name}", args=["bank"]) for name in ("project_state", "invite")]
    for user, status in (
        (make_user(), 404),
        (add_member(project), 403),
        (add_member(project, Role.ENGINEER), 403),
    ):
        client.force_login(user)
        assert {client.get(page).status_code for page in gets} == {status}
        assert {client.post(page, {"action": "archive"}).status_code for page in posts} == {status}
    project.refresh_from_db()
    assert project.state == "active"


def test_it_makes_a_project_from_a_template_and_goes_to_its_import(client: Client) -> None:
    user = make_user(is_superuser=True)
    client.force_login(user)
    page = reverse("annotation:project_new")
    assert client.get(page).status_code == 200
    answer = client.post(page, {"name": "Mood", "template": "sentiment", "labels": "Sarcastic\n\n"})
    project = Project.objects.get()
    assert answer.url == reverse("annotation:import", args=["mood"])
    labels = schema_reads.label_field(schema_reads.require(project))["labels"]
    assert [label["name"] for label in labels] == ["Sarcastic", "Positive", "Negative", "Neutral", "Mixed"]
    assert project.created_by == user


def test_it_keeps_what_was_typed_when_a_project_cannot_be_made(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    answer = client.post(
        reverse("annotation:project_new"), {"name": "Odd", "template": "blank", "labels": "only one"}
    )
    assert (answer.status_code, answer.context["form"]["labels"].value()) == (422, "only one")
    assert "needs 2" in answer.context["form"].errors["labels"][0]
    assert not Project.objects.exists()


def test_it_lets_annotators_make_no_projects(client: Client) -> None:
    client.force_login(add_member(make_project()))
    assert client.get(reverse("annotation:project_new")).status_code == 403


def test_it_saves_settings_and_shows_a_wrong_one_in_place(client: Client, project: Project) -> None:
    page = reverse("annotation:settings", args=[project.slug])
    assert client.get(page).status_code == 200
    answer = client.post(page, settings_of(project, daily_goal=7, mode="manual"))
    assert answer.status_code == 302
    project.refresh_from_db()
    assert (project.daily_goal, project.mode) == (7, "manual")
    answer = client.post(page, settings_of(project, overlap_share=2, name="Typed"))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["overlap_share"])
    assert answer.context["form"]["name"].value() == "Typed"
    answer = client.post(page, settings_of(project, time_zone="Mars"))
    assert "no time zone" in answer.context["form"].errors["time_zone"][0]


def test_it_fixes_what_decides_the_splits_once_items_are_in(client: Client, project: Project) -> None:
    make_items(project, 1)
    page = reverse("annotation:settings", args=[project.slug])
    client.post(page, settings_of(project, test_share=0.4, daily_goal=3))
    project.refresh_from_db()
    assert (project.test_share, project.daily_goal) == (0.2, 3)


def test_it_archives_takes_up_again_pauses_and_copies(client: Client, project: Project) -> None:
    state = reverse("annotation:project_state", args=[project.slug])
    for action, expected in (
        ("pause", "paused"),
        ("resume", "active"),
        ("archive", "archived"),
        ("unarchive", "active"),
    ):
        client.post(state, {"action": action})
        project.refresh_from_db()
        assert project.state == expected
    assert client.post(state, {"action": "explode"}).status_code == 400
    answer = client.post(reverse("annotation:project_clone", args=[project.slug]), {"name": "Bank two"})
    assert answer.url == reverse("annotation:settings", args=["bank-two"])


def test_it_shows_the_settings_of_an_archived_project_and_saves_none(
    client: Client, project: Project
) -> None:
    client.post(reverse("annotation:project_state", args=[project.slug]), {"action": "archive"})
    page = reverse("annotation:settings", args=[project.slug])
    assert "Take it up again" in client.get(page).text
    answer = client.post(page, settings_of(project, daily_goal=7))
    assert (answer.status_code, "is archived" in answer.text) == (422, True)
