"""The demo project is real: made by the product's own services, with a finished round and something left to
do.
"""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from annotation.models import Annotation, Project, Review, Slot
from selection.models import Round
from selection.services import demo
from training.models import Evaluation, ModelVersion

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_it_makes_a_demo_with_something_true_on_every_page_though_it_was_stopped(monkeypatch, settings):
    def stop(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo, "_review", stop)
        with pytest.raises(KeyboardInterrupt):
            demo.make(count=700)
    assert demo.unfinished()
    before = Annotation.objects.count()
    project = demo.make(count=700)
    assert project.items.count() == 700
    assert Annotation.objects.count() > before
    assert project.is_synthetic
    first, second = Round.objects.order_by("number")
    assert (first.state, second.state) == (Round.State.DONE, Round.State.DONE)
    assert list(first.stations.filter(state="skipped").values_list("name", flat=True)) == [
        *("freeze", "train", "evaluate", "decide", "score")
    ]
    assert not second.stations.exclude(state="done").exists()
    assert ModelVersion.objects.get() == second.model
    assert 0.5 < Evaluation.objects.get().figures["model"]["accuracy"] <= 1.0
    assert second.batch.slots.filter(state=Slot.State.FREE).exists()
    assert second.batch.slots.filter(state=Slot.State.DONE).count() == demo.SECOND_LABELLED
    assert Project.objects.get(slug="demo-answers").annotations.exists()
    reviews = Review.objects.filter(project=project)
    assert reviews.filter(state=Review.State.DONE).exists()
    assert 0 < reviews.filter(state=Review.State.PENDING).count() <= 3
    shown = Annotation.objects.filter(prelabel_mode=Annotation.PrelabelMode.SHOWN)
    assert shown.filter(accepted_prelabel=True).exists() and shown.filter(accepted_prelabel=False).exists()

    accounts = settings.DATA_DIR / demo.ACCOUNTS
    assert accounts.stat().st_mode & 0o077 == 0
    password = accounts.read_text().splitlines()[0].split()[-1]
    assert User.objects.get(username="ana").check_password(password)
    assert not demo.unfinished()
    with pytest.raises(CommandError, match="there is a project"):
        call_command("create_demo")
