"""Position bias of a project: read from answers and their traces."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Annotation, Project, Role, Slot
from annotation.quality.intervals import wilson
from annotation.selectors import position_bias, schemas
from annotation.selectors.queue import payloads
from annotation.services import labelling, queue
from tests import factories, typed

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    """Eight pairs; of six the response that stood first was preferred, one is a tie."""
    made = typed.make_project("preference")
    typed.add_items(made, "preference", 8)
    typed.publish(made)
    person = factories.add_member(made)
    for number in range(8):
        [slot] = queue.lease(made, person, count=1)
        first, second = _order(made, person, slot)
        ranking = (
            [[first, second]] if number == 7 else [[first], [second]] if number < 6 else [[second], [first]]
        )
        answer = {"preferred": {"ranking": ranking, "strength": "much"}}
        labelling.submit(made, person, slot.uuid, answer, client_key=str(slot.uuid))
    return made


def _order(project: Project, person: User, slot: Slot) -> list[str]:
    [payload] = payloads(project, person, [slot])
    return [one["id"] for one in payload.content["responses"]]


def field(project: Project):
    return schemas.label_field(schemas.require(project))


def test_it_counts_wins_of_the_place_that_was_on_the_screen(project: Project) -> None:
    bias = position_bias.report(project, field(project))
    assert bias is not None
    assert bias.first == wilson(6, 7)
    assert (bias.ties, bias.expected) == (1, 0.5)


def test_an_answer_that_was_taken_back_does_not_count(project: Project) -> None:
    person = Annotation.objects.first().labeller.user
    labelling.undo(project, person)  # the tie
    labelling.undo(project, person)  # the one that came second
    bias = position_bias.report(project, field(project))
    assert bias is not None
    assert (bias.first, bias.ties) == (wilson(6, 6), 0)


def test_other_types_have_no_places(django_assert_num_queries) -> None:
    project = typed.labelled_project("rating")
    with django_assert_num_queries(0):
        assert position_bias.report(project, {"name": "quality", "type": "rating"}) is None


def test_one_query_reads_it(project: Project, django_assert_num_queries) -> None:
    found = field(project)
    with django_assert_num_queries(1):
        position_bias.report(project, found)


def test_the_agreement_page_says_it_to_those_who_may_see_it(client: Client, project: Project) -> None:
    page = reverse("annotation:agreement", args=[project.slug])
    client.force_login(factories.add_member(project, Role.ENGINEER))
    html = client.get(page).content.decode()
    assert "The response that stood first was the best in 86 % (49 to 97 %) of 7 answers" in html
    assert "Best response by its place on the screen" in html
    assert "1 answer without one best response is left out." in html
    client.force_login(factories.add_member(project))
    assert client.get(page).status_code == 403
    client.force_login(factories.make_user())
    assert client.get(page).status_code == 404
