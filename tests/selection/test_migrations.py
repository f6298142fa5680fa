from importlib import import_module

import pytest
from django.apps import apps

from selection.models import Round
from selection.round_spec import RoundSpec
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def test_rounds_of_the_old_default_keep_what_they_picked_by():
    specs = [
        RoundSpec(strategy="default", settings={"candidates_per_pick": 5, "skip_share": 0.1}, seed=1),
        RoundSpec(strategy="mmr", seed=2),
    ]
    rounds = [
        Round.objects.create(project=make_project(slug=spec.strategy), number=1, spec=spec.to_json())
        for spec in specs
    ]
    import_module("selection.migrations.0007_default_by_name").forwards(apps, None)
    for round_ in rounds:
        round_.refresh_from_db()
    assert [round_.spec["strategy"] for round_ in rounds] == ["margin_diverse", "mmr"]
    assert rounds[0].spec == specs[0].to_json() | {"strategy": "margin_diverse"}
    assert rounds[1].spec == specs[1].to_json()
