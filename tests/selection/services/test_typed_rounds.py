"""Rounds over labels that no objective learns from yet: labels are frozen, the batch is spread by diversity."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Slot
from annotation.selectors import datasets as dataset_reads
from selection.models import Round
from selection.services import builds, rounds
from tests import factories, typed
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
UNLEARNT = [name for name, fields in typed.FIELDS.items() if fields[0]["type"] != "classification"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


def run(project: Project, **spec: object) -> Round:
    with programs.in_this_process():
        return rounds.run_to_end(factories.make_round(project, **{"batch_size": 4, "seed": 3, **spec}))


def states(round_: Round) -> dict[str, str]:
    return dict(round_.stations.values_list("name", "state"))


@pytest.mark.parametrize("name", UNLEARNT)
def test_a_round_collects_freezes_picks_and_publishes(client: Client, name: str) -> None:
    admin = factories.make_user(is_superuser=True)
    project = typed.make_project(name, by=admin)
    typed.add_items(project, name, 14)
    first = run(project)
    assert first.state == Round.State.DONE, first.error
    assert {station for station, state in states(first).items() if state == "done"} == {
        *("collect", "pick", "publish")
    }
    assert typed.label(project, name, admin) == 4

    second = run(project, strategy="default", seed=4, control_share=0.25)
    assert second.state == Round.State.DONE, second.error
    assert {station for station, state in states(second).items() if state == "skipped"} == {
        *("train", "evaluate", "decide", "score")
    }
    for station in ("train", "evaluate", "decide"):
        assert "No objective learns from" in second.stations.get(name=station).note
    assert "no model" in second.stations.get(name="score").note
    assert (second.dataset.train_count, second.dataset.manifest["type"]) == (4, typed.FIELDS[name][0]["type"])
    rows = pq.read_table(dataset_reads.folder(second.dataset) / "train.parquet").to_pylist()
    assert all(json.loads(row["examples"]) for row in rows)
    assert second.batch.slots.filter(state=Slot.State.FREE).count() == 4
    labelled = set(first.batch.slots.values_list("item", flat=True))
    assert not labelled & set(second.batch.slots.values_list("item", flat=True))

    client.force_login(admin)
    for page in ("round", "round_live", "replay_status"):
        assert client.get(reverse(f"selection:{page}", args=[project.slug, second.number])).status_code == 200
    for page in ("selection:rounds", "selection:launch", "training:models", "annotation:agreement"):
        assert client.get(reverse(page, args=[project.slug])).status_code == 200


@pytest.mark.parametrize("strategy", ["random", "mmr", "blend", "hardness", "margin", "default"])
def test_every_kind_of_strategy_has_a_batch_for_written_responses(strategy: str) -> None:
    """What a strategy lacks (probabilities, or labels that are categories) it says, and a cold start picks."""
    project = typed.make_project("response")
    typed.add_items(project, "response", 12)
    run(project)
    typed.label(project, "response", factories.make_user())
    round_ = run(project, strategy=strategy, seed=5)
    assert round_.state == Round.State.DONE, round_.error
    assert round_.batch.slots.count() == 4
    is_spread = strategy == "random"
    assert ("No objective learns from" in round_.batch.note) != is_spread


def test_several_pairs_of_one_prompt_are_picked_side_by_side() -> None:
    from annotation.services.items import Record, add_items

    project = typed.make_project("preference")
    records = [
        Record(text=f"Question {n % 2}?", data={"responses": [f"Yes {n}", f"No {n}"]}, split="train")
        for n in range(6)
    ]
    add_items(project, records, source="pairs")
    round_ = run(project, batch_size=6)
    assert round_.batch.slots.count() == 6
