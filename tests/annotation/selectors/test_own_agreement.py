"""Own agreement by the distance of each type, worked by hand."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
from django.test import Client

from annotation.models import Annotation, Project
from annotation.selectors import own_agreement
from annotation.services import batches, labelling, queue, schemas
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db

LABELS = [{"id": "refund", "name": "Refund"}, {"id": "other", "name": "Other"}]
LABEL = {"name": "label", "type": "classification", "labels": LABELS}
BELOW = [{"id": "card", "name": "Card", "parent": "other"}, {"id": "loan", "name": "Loan", "parent": "other"}]
TREE = {**LABEL, "labels": [*LABELS, *BELOW]}
ENTITIES = {"name": "entities", "type": "spans", "labels": [{"id": "person", "name": "Person"}]}
TONE = {"name": "tone", "type": "rating", "points": 5, "dimensions": [{"id": "warm", "name": "Warm"}]}
REPLY = {"name": "reply", "type": "response"}
SETS = {"name": "topics", "type": "multilabel", "labels": LABELS}


def spans(*ends: tuple[int, int]) -> dict[str, Any]:
    return {"spans": [{"start": start, "end": end, "label": "person"} for start, end in ends]}


def answered(fields: list[dict[str, Any]], *answers: dict[str, Any], items: int = 1) -> tuple[Project, Any]:
    """A project whose items were answered by a person for each of `answers`; the first is whose page it is."""
    project = make_project(overlap_share=1, evaluation_items=0, spot_check_share=0)
    schemas.publish(project, {"fields": fields})
    made = make_items(project, [f"Ana met Bo, {n}" for n in range(items)], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in made], origin="test")
    people = [add_member(project) for _answer in answers]
    for person, value in zip(people, answers, strict=True):
        for slot in queue.lease(project, person, count=items):
            labelling.submit(project, person, slot.uuid, value, client_key=uuid.uuid4().hex)
    return project, people[0]


def of(project: Project, user: Any) -> list[own_agreement.FieldAgreement]:
    own = Annotation.objects.filter(project=project, labeller__user=user)
    return own_agreement.by_field(user, project, list(own))


@pytest.mark.parametrize(
    ("field", "mine", "theirs", "closeness"),
    [
        (LABEL, "refund", "other", 0.0),
        (TREE, "card", "loan", 0.5),  # siblings at depth 2 under one parent: 2·1 / (2 + 2)
        (ENTITIES, spans((0, 3)), spans((0, 3), (8, 10)), 0.75),  # Dice over characters: 2·3 / (3 + 5)
        (TONE, {"warm": 5}, {"warm": 4}, 15 / 16),  # 1 − (1/4)²
        (REPLY, {"text": "abcd"}, {"text": "abce"}, 0.75),  # one of four characters
        (SETS, ["refund"], ["refund", "other"], 1 / 3),  # MASI: J ½ · M ⅔
    ],
    ids=lambda one: one.get("name") if isinstance(one, dict) else None,
)
def test_it_is_one_minus_the_distance_of_the_type(
    field: Any, mine: Any, theirs: Any, closeness: float
) -> None:
    name = field["name"]
    (found,) = of(*answered([field], {name: mine}, {name: theirs}))
    assert found.closeness.value == pytest.approx(closeness)
    assert (found.closeness.n, found.is_share) == (1, field is LABEL)


def test_each_field_has_its_own_and_counts_only_where_both_answered_it() -> None:
    asked_of_refunds = {**TONE, "when": {"field": "label", "in": ["refund"]}}
    warm = {"label": "refund", "tone": {"warm": 5}}
    label, tone = of(*answered([LABEL, asked_of_refunds], warm, {"label": "other"}, items=6))
    assert (label.closeness.value, label.closeness.n) == (0.0, 6)
    assert (math.isnan(tone.closeness.value), tone.closeness.n) == (True, 0)


def test_a_closeness_has_an_interval_from_five_items_on() -> None:
    answers = {"tone": {"warm": 5}}, {"tone": {"warm": 3}}
    (few,) = of(*answered([TONE], *answers, items=4))
    (enough,) = of(*answered([TONE], *answers, items=5))
    assert (few.closeness.value, math.isnan(few.closeness.low)) == (0.75, True)
    assert (enough.closeness.value, enough.closeness.low, enough.closeness.high) == (0.75, 0.75, 0.75)


def test_the_page_says_what_the_figure_is(client: Client) -> None:
    mine, theirs = ({"label": "refund", "tone": {"warm": point}} for point in (5, 4))
    project, ana = answered([LABEL, TONE], mine, theirs)
    client.force_login(ana)
    html = " ".join(client.get(f"/me?project={project.slug}").text.split())
    assert "Others gave the same label: label" in html
    assert "<dt>How close others came: tone</dt> <dd>94 %<small> 1 item; 100 % is the same answer" in html
