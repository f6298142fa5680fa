"""The second demo project: real answers of every page's kind, and work left for whoever opens it."""

from __future__ import annotations

import pytest
from django.db.models import Count

from annotation.models import Annotation, Discussion, GoldItem, Project, Review, Slot
from annotation.selectors import schemas
from annotation.task_types import registry
from selection.services import demo_answers, demo_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return demo_answers.make(demo_people.cast("a password of the demo"))


def test_every_page_has_something_true_to_show(project: Project) -> None:
    assert project.is_synthetic
    assert project.items.count() == demo_answers.COUNT
    ordinary = project.slots.exclude(purpose__in=Slot.MEASURING)
    assert ordinary.filter(state="done").count() >= demo_answers.LABELLED - 20
    assert ordinary.filter(state="free", purpose="label").exists()
    # two people looked at many items, so that agreement says something
    looks = ordinary.filter(state="done").values("item").annotate(n=Count("pk"))
    assert looks.filter(n=2).count() >= 15
    answers = Annotation.objects.filter(project=project, slot__isnull=False)
    assert all(one["preferred"] and one["quality"] for one in answers.values_list("value", flat=True))
    written = answers.filter(value__has_key="rewrite")
    assert written.exists() and all(one.trace["rewrite"]["edit_distance"] >= 0 for one in written)
    assert {one.trace["preferred"]["order"][0] for one in answers} == {"r1", "r2"}
    assert GoldItem.objects.filter(project=project, is_active=True).count() == demo_answers.GOLD
    assert project.slots.filter(purpose="gold", state="done").exists()
    reviews = Review.objects.filter(project=project)
    assert 0 < reviews.filter(state="pending").count() <= demo_people.LEFT_TO_REVIEW
    assert reviews.filter(verdict="right").exists() and reviews.filter(verdict="wrong").exists()
    threads = Discussion.objects.filter(project=project).order_by("pk")
    assert [one.closed_at is None for one in threads] == [True, False]
    assert [one.comments.count() for one in threads] == [2, 2]


def test_answers_fit_the_schema_they_were_given_to(project: Project) -> None:
    definition = schemas.require(project).definition
    for value in Annotation.objects.filter(project=project).values_list("value", flat=True):
        assert registry.validate_value(definition, value) == value


def test_making_it_again_changes_nothing(project: Project) -> None:
    def counts() -> list[int]:
        kinds = (Annotation, Slot, Review, Discussion, GoldItem)
        return [kind.objects.filter(project=project).count() for kind in kinds]

    before = counts()
    assert demo_answers.make(demo_people.cast("another password")).pk == project.pk
    assert counts() == before


def test_it_is_the_same_questions_and_right_answers_everywhere(project: Project) -> None:
    first = project.items.get(row=0)
    assert first.text == "380的百分之40是多少？"
    assert first.data["responses"][0] == {"id": "r1", "text": "这个自己查一下就知道了。380的40%是152。"}
    gold = GoldItem.objects.select_related("item").filter(project=project).order_by("item__row")
    assert [one.item.row for one in gold] == list(range(194, 200))
