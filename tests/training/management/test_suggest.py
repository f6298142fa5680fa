from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Prelabel, Project
from jobs.models import Job
from tests import factories
from training.services import suggestions

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(suggestions, "PROGRAM", "tests.stand_in_suggest")
    labels = [
        {"id": "refund", "name": "Refund", "description": "Money back."},
        {"id": "card", "name": "Card", "description": "A card."},
    ]
    return factories.make_project(labels=labels)


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("suggest", *arguments, stdout=out)
    return out.getvalue()


def test_it_leaves_the_work_to_a_worker(project: Project) -> None:
    assert said(project.slug, "--source", "smollm2", "--limit", "9").startswith("job ")
    job = Job.objects.get(kind=suggestions.KIND)
    assert job.state == "queued"
    assert job.params == {"source": "smollm2", "field": "label", "limit": 9, "order": "queue"}


@pytest.mark.slow
def test_it_waits_where_asked_and_says_how_right_it_was(project: Project) -> None:
    resolved = factories.make_items(project, ["money one", "money two", "card three"], split="train")
    factories.make_labels(project, resolved, ["Refund", "Card", "Card"])
    factories.make_items(project, ["a card", "money"], split="train")
    text = said(project.slug, "--limit", "5", "--order", "random", "--wait")
    assert "right on 2 of 3 resolved items: 66.7% (20.8% to 93.9%); the commonest answer alone: 66.7%" in text
    assert text.endswith("2 suggestions for 2 items\n") and Prelabel.objects.count() == 2


def test_it_says_in_one_sentence_what_is_wrong(project: Project) -> None:
    with pytest.raises(CommandError, match="There is no project “nowhere”"):
        said("nowhere")
    with pytest.raises(CommandError, match="No label of “label” has a description"):
        said(factories.make_project().slug)
