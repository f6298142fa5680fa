"""The page on which a reviewer accepts sure suggestions in bulk."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import BulkAcceptance, Role
from annotation.services import projects
from jobs.services import jobs
from tests.annotation.services.test_bulk_acceptance import Scene
from tests.factories import add_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def page(scene: Scene, name: str = "accept", *args: object) -> str:
    return reverse(f"annotation:{name}", args=[scene.project.slug, *args])


def test_it_shows_what_is_known_and_what_it_will_do(client: Client, scene: Scene) -> None:
    client.force_login(scene.rita)
    html = client.get(page(scene)).content.decode()
    assert "calibrated on 90 resolved items" in html
    assert "95.9 % to 100.0 %, n = 90" in html
    assert "Accept 30 suggestions" in html
    assert "about 2" in html
    assert "How right suggestions are above a confidence" in html
    assert html.count('class="example"') == 12


def test_it_accepts_shows_the_outcome_and_undoes(client: Client, scene: Scene) -> None:
    client.force_login(scene.rita)
    sent = {"labeller": scene.model.uuid, "threshold": "0.9"}
    answer = client.post(page(scene), sent)
    acceptance = BulkAcceptance.objects.get()
    assert answer.url == acceptance.get_absolute_url()
    assert "data-poll=" in client.get(answer.url).content.decode()
    jobs.drain()
    polled = client.get(page(scene, "accepted_state", acceptance.uuid), headers={"X-Requested-With": "poll"})
    assert "data-poll-reload" in polled.content.decode()
    html = client.get(answer.url).content.decode()
    assert re.search(r"Accepted</dt><dd>30<small>done", html)
    assert "Undo this acceptance" in html
    assert acceptance.get_absolute_url() in client.get(page(scene)).content.decode()
    client.post(page(scene, "accepted_undo", acceptance.uuid))
    jobs.drain()
    assert f"Undone by {scene.rita}" in client.get(answer.url).content.decode()


def test_it_says_why_nothing_can_be_accepted(client: Client) -> None:
    project = make_project(mode="hybrid")
    client.force_login(add_member(project, Role.REVIEWER))
    url = reverse("annotation:accept", args=[project.slug])
    assert "There are no suggestions" in client.get(url).content.decode()
    projects.update_settings(project, mode="assisted")
    assert "This project is not hybrid" in client.get(url).content.decode()


def test_it_counts_what_is_lacking_and_names_the_target(client: Client) -> None:
    scene = Scene(opened=3, right=60)
    client.force_login(scene.rita)
    assert "No confidence is high enough to prove 95 %" in client.get(page(scene)).content.decode()
    scene.project.annotations.update(prelabel_mode="shown")
    html = client.get(page(scene)).content.decode()
    assert "0 suggestions can be judged so far, 80 more are needed." in html


def test_a_form_that_is_out_of_date_is_refused_in_a_sentence(client: Client, scene: Scene) -> None:
    client.force_login(scene.rita)
    sent = {"labeller": scene.model.uuid, "threshold": "0.2"}
    html = client.post(page(scene), sent, follow=True).content.decode()
    assert "The proven threshold is 0.900 by now, above the 0.200 you saw" in html
    html = client.post(page(scene), {"threshold": "nonsense"}, follow=True).content.decode()
    assert "The form did not arrive whole" in html
    assert not BulkAcceptance.objects.exists()


def test_it_is_for_reviewers_of_the_project(client: Client, scene: Scene) -> None:
    acceptance = scene.accept()
    urls = [
        page(scene),
        page(scene, "accepted", acceptance.uuid),
        page(scene, "accepted_state", acceptance.uuid),
    ]
    for user, status in ((scene.ana, 403), (make_user(), 404)):
        client.force_login(user)
        assert [client.get(url).status_code for url in urls] == [status] * 3
        assert client.post(page(scene), {}).status_code == status
        assert client.post(page(scene, "accepted_undo", acceptance.uuid)).status_code == status
    stranger = make_project(mode="hybrid")
    client.force_login(add_member(stranger, Role.REVIEWER))
    url = reverse("annotation:accepted", args=[stranger.slug, acceptance.uuid])
    assert client.get(url).status_code == 404


def test_it_asks_as_many_questions_for_many_items_as_for_few(client: Client) -> None:
    counts = []
    for opened in (2, 40):
        scene = Scene(opened=opened)
        client.force_login(scene.rita)
        client.get(page(scene))
        with CaptureQueriesContext(connection) as asked:
            client.get(page(scene))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 20
