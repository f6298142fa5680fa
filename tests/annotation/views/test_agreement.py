from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Review, Role
from annotation.services import batches, guidelines, labelling, prelabels, projects, queue, reviews
from tests import factories

pytestmark = pytest.mark.django_db


def get(client: Client, project: Project, name: str = "agreement", query: str = "") -> str:
    response = client.get(reverse(f"annotation:{name}", args=[project.slug]) + query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def project() -> Project:
    """Four items labelled by two people who differ on one; one spot check found wrong."""
    made = factories.make_project(overlap_share=1, evaluation_items=0, spot_check_share=1)
    guidelines.publish(made, "first")
    items = factories.make_items(made, [f"text {i}" for i in range(4)], split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test")
    ana, bo = (factories.add_member(made, user=factories.make_user(name)) for name in ("ana", "bo"))
    for person, labels in ((ana, ["refund"] * 2 + ["other"] * 2), (bo, ["refund"] * 3 + ["other"])):
        for slot, label in zip(queue.lease(made, person, count=4), labels, strict=True):
            labelling.submit(
                made, person, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex, active_ms=3000
            )
    check = Review.objects.filter(kind="spot_check", annotation__labeller__user=ana).first()
    reviewer = factories.add_member(made, Role.REVIEWER)
    assert check
    reviews.decide(check, reviewer, "right")
    return made


def test_it_shows_figures_charts_and_tables(client: Client, project: Project) -> None:
    client.force_login(factories.add_member(project, Role.ENGINEER))
    html = get(client, project)
    assert "8 labels of people on 4 items, 4 of them labelled by at least two." in html
    for title in (
        "alpha",
        "kappa of every two people",
        "What two people gave",
        "Pace and accuracy",
        "over time",
    ):
        assert title in html
    assert html.count('role="img"') == 5
    assert html.count("As a table") == 5
    assert "75 %" in html  # percent agreement
    assert "target 0.8" in html


def test_a_cell_of_the_confusion_leads_to_its_items(client: Client, project: Project) -> None:
    client.force_login(factories.add_member(project, Role.ENGINEER))
    assert "agreement/items?a=refund&amp;b=other" in get(client, project)
    html = get(client, project, "disagreements", "?a=refund&b=other")
    assert "text 2" in html
    assert "text 1" not in html
    assert "No such item" in get(client, project, "disagreements", "?a=refund&b=nonsense")


def test_it_says_why_nothing_is_known_of_anchoring(client: Client, project: Project) -> None:
    client.force_login(factories.add_member(project, Role.ENGINEER))
    assert "No suggestion is kept back, so nothing can be compared" in get(client, project)
    projects.update_settings(project, prelabel_hidden_share=0.1)
    html = get(client, project)
    assert "On 10 % of the items the suggestion is hidden" in html
    assert "So far 0 answers saw a suggestion and 0 had it hidden" in html


def test_it_compares_answers_with_and_without_the_suggestion(client: Client) -> None:
    project = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=0)
    items = factories.make_items(project, 40, split="train")
    model = factories.make_model_labeller(project)
    prelabels.store(project, model, [(item.pk, {"label": "refund"}, 0.7, {}) for item in items])
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test")
    ana = factories.add_member(project)
    told = {one.item_id: one.uuid for one in project.prelabels.all()}
    for hidden, label in ((0.0, "refund"), (1.0, "other")):
        projects.update_settings(project, prelabel_hidden_share=hidden)
        for slot in queue.lease(project, ana, count=20):
            seen = None if hidden else told[slot.item_id]
            value = {"label": label}
            labelling.submit(project, ana, slot.uuid, value, client_key=uuid.uuid4().hex, prelabel_uuid=seen)
    client.force_login(factories.add_member(project, Role.ENGINEER))
    html = get(client, project)
    assert "more often when they see it: +100 percentage points, between +77 and +100" in html
    assert "Answers that agree with the suggestion" in html


def test_an_empty_project_teaches(client: Client) -> None:
    project = factories.make_project()
    client.force_login(factories.add_member(project, Role.ENGINEER))
    assert "Nobody has labelled yet" in get(client, project)


def test_one_lone_labeller_has_no_agreement_but_a_page(client: Client) -> None:
    project = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=0)
    item = factories.make_item(project)
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    person = factories.add_member(project)
    [slot] = queue.lease(project, person, count=1)
    labelling.submit(project, person, slot.uuid, {"label": "refund"}, client_key="k")
    client.force_login(factories.add_member(project, Role.ENGINEER))
    html = get(client, project)
    assert "no item was labelled by two people yet" in html
    assert "no item has labels by two people" in html
    assert "nan" not in html.lower()
    in_chinese = client.get(
        reverse("annotation:agreement", args=[project.slug]), headers={"Accept-Language": "zh-hans"}
    ).text
    assert "没有条目由两人标注过" in in_chinese and "no item has" not in in_chinese


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_it_is_for_engineers(client: Client, project: Project, role: str) -> None:
    client.force_login(factories.add_member(project, role))
    assert client.get(reverse("annotation:agreement", args=[project.slug])).status_code == 403
