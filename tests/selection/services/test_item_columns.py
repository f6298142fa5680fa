"""Expected seconds and sources, from people's work to the picks and why they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from annotation.models import Annotation, Item, Project, Slot
from annotation.services import labelling, queue
from annotation.services.batches import Pick, publish
from jobs.services import artifacts, jobs
from selection.forms import LaunchForm
from selection.models import Round
from selection.round_spec import RoundSpec
from selection.services import builds, item_columns, replays, rounds
from tests import factories
from training.services import programs

pytestmark = pytest.mark.django_db
WORDS = {"refund": "money back", "card-lost": "card gone", "other": "weather today"}
COST = {"value_per_second": True}


@pytest.fixture
def project() -> Project:
    return factories.make_project(
        overlap_share=0.0, evaluation_items=0, spot_check_share=0.0, prelabel_hidden_share=0.0
    )


def look(project: Project, items: list[Item], milliseconds: list[int]) -> None:
    """A person labels these items, each in so long."""
    publish(project, [Pick(row=item.row) for item in items], origin=f"looks-{items[0].row}")
    person = factories.add_member(project)
    took = dict(zip((item.pk for item in items), milliseconds, strict=True))
    for slot in queue.lease(project, person, count=len(items)):
        answer = next((name for name, words in WORDS.items() if words in slot.item.text), "other")
        labelling.submit(
            project,
            person,
            slot.uuid,
            {"label": answer},
            client_key=str(slot.uuid),
            active_ms=took[slot.item_id],
        )


def test_expected_seconds_follow_the_length_of_texts_as_in_past_work(project: Project) -> None:
    texts = ["x" * (10 * (1 + at % 6)) + f" {at:02}" for at in range(36)]
    items = factories.make_items(project, texts, split="train")
    look(project, items, [100 * (len(text) + 1) for text in texts])  # a tenth of a second a character
    fresh = factories.make_items(project, ["y" * 19, "y" * 39], split="train")
    rows = np.array([item.row for item in fresh], dtype=np.int64)
    assert item_columns.expected_seconds(project, rows) == pytest.approx([2.0, 4.0])
    note = item_columns.note(project, "blend", COST)
    assert note == "Expected seconds by length of text, learnt from 36 timed answers."


def test_answers_that_were_not_timed_count_for_nothing_and_few_make_all_alike(project: Project) -> None:
    items = factories.make_items(project, ["short", "a longer text", "untimed"], split="train")
    look(project, items, [2_000, 8_000, 0])
    assert Annotation.objects.filter(active_ms=0).count() == 1
    rows = np.array([item.row for item in items], dtype=np.int64)
    assert item_columns.expected_seconds(project, rows) == pytest.approx([4.0] * 3)
    note = item_columns.note(project, "blend", COST)
    assert note.startswith("Too little is known of how time grows with length (2 timed answers, 30")


def test_sources_are_those_that_items_came_from(project: Project) -> None:
    here = factories.make_items(project, ["one", "two"], split="train", source="mail")
    there = factories.make_items(project, ["three"], split="train", source="chat")
    rows = np.array([here[1].row, there[0].row], dtype=np.int64)
    assert item_columns.source_ids(project, rows).tolist() == [here[0].source_id, there[0].source_id]
    assert here[0].source_id != there[0].source_id


def test_columns_are_written_for_settings_that_ask_for_them_alone(project: Project, tmp_path: Path) -> None:
    rows = np.array([factories.make_item(project).row], dtype=np.int64)
    both: dict[str, Any] = {**COST, "source_share": 0.5}
    assert item_columns.write(project, rows, "blend", {}, tmp_path) == {}
    assert item_columns.write(project, rows, "default", {}, tmp_path) == {}
    assert item_columns.note(project, "blend", {"source_share": 0.5}) == ""
    found = item_columns.write(project, rows, "blend", both, tmp_path)
    assert found == {name: str(tmp_path / f"{name}.npy") for name in ("seconds", "sources")}
    assert np.load(found["seconds"]).tolist() == [1.0]


def test_the_form_takes_both_settings() -> None:
    spec = RoundSpec(strategy="blend", learner="probe")
    form = LaunchForm(spec=spec)
    assert {"strategy-value_per_second", "strategy-source_share"} <= set(form.fields)
    values = {name: field.initial for name, field in form.fields.items()}
    values |= {name: form.initial[name] for name in form.initial}
    values |= {"strategy-value_per_second": "on", "strategy-source_share": "0.5"}
    sent = LaunchForm({k: v for k, v in values.items() if v is not None and v is not False}, spec=spec)
    assert sent.is_valid(), sent.errors
    settings = sent.cleaned_data["spec"].settings
    assert (settings["value_per_second"], settings["source_share"]) == (True, 0.5)


@pytest.mark.slow
def test_a_round_by_value_per_second_explains_its_picks_keeps_its_quota_and_replays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    words = list(WORDS.values())
    known = factories.make_items(
        project, [f"{words[at % 3]} {'so ' * (1 + at % 5)}{at}" for at in range(36)], split="train"
    )
    look(project, known, [100 * (len(item.text) + 1) for item in known])
    texts = [f"{words[at % 3]} new {'so ' * (10 * (at % 2))}{at}" for at in range(40)]
    factories.make_items(project, texts[:30], split="train", source="mail")
    factories.make_items(project, texts[30:], split="train", source="chat")
    with programs.in_this_process():
        made = factories.make_round(
            project,
            batch_size=10,
            control_share=0.0,
            strategy="blend",
            settings={**COST, "source_share": 0.5},
        )
        done = rounds.run_to_end(made)
        replay = replays.launch(done)
        jobs.drain()
    assert done.state == Round.State.DONE, done.error
    replay.refresh_from_db()
    assert replay.result["identical"], replay.result
    assert "learnt from 36 timed answers" in done.stations.get(name="pick").note
    slots = list(Slot.objects.filter(batch=done.batch).select_related("item__source"))
    from_mail = sum(slot.item.source.name == "mail" for slot in slots)
    assert (len(slots), from_mail) == (10, 5)
    folder = artifacts.path(done.picks)
    seconds = dict(zip(np.load(folder / "rows.npy"), np.load(folder / "seconds.npy"), strict=True))
    usual = float(np.median(list(seconds.values())))
    for slot in slots:
        cost = slot.explanation["parts"]["cost"]
        assert cost == pytest.approx(usual / seconds[slot.item.row])
        assert slot.explanation["parts"]["factor"] == pytest.approx(cost)
    assert pq.read_table(folder / "picks.parquet")["cost"].null_count == 0
