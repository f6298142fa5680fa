"""From picks to slots, beside people who label and an admin who cancels."""

from __future__ import annotations

from typing import Any

import pytest

from annotation.models import Project, Slot
from annotation.services import batches
from jobs.errors import Cancelled
from selection.models import Round
from selection.selectors.picks import HardTag, Picked
from selection.services import publishing, rounds
from tests.factories import make_artifact, make_items, make_project, make_round

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(overlap_share=0.0, evaluation_items=0)


@pytest.fixture
def round_(project: Project, monkeypatch: pytest.MonkeyPatch) -> Round:
    """A round that has picked three items."""
    items = make_items(project, 5, split="train")
    made = make_round(project)
    made.picks = make_artifact("picks")
    made.save(update_fields=["picks"])
    picked = [
        Picked(row=item.row, rank=rank, arm="strategy", inclusion_probability=None, parts={"margin": 0.1})
        for rank, item in enumerate(items[:3])
    ]
    monkeypatch.setattr(publishing.picks_of, "read_picks", lambda folder: picked)
    monkeypatch.setattr(publishing.picks_of, "read_probabilities", lambda folder: None)
    monkeypatch.setattr(publishing.picks_of, "read_summary", lambda folder: {"weights": {"margin": 0.4}})
    hard = HardTag(name="boundary", found=0.1, bound=0.2, labels=["a", "b"])
    monkeypatch.setattr(publishing.picks_of, "read_tags", lambda folder: [[hard], [], []])
    return made


def test_it_publishes_the_picks_once(project: Project, round_: Round) -> None:
    batch = publishing.publish(round_, origin="r")
    assert publishing.publish(round_, origin="r") == batch
    assert project.slots.count() == 3
    first, second, _third = project.slots.order_by("rank").values_list("explanation", flat=True)
    why = {"parts": {"margin": 0.1}, "weights": {"margin": 0.4}, "round": round_.number, "note": ""}
    assert first == {**why, "tags": ["boundary"]} and second == why
    round_.refresh_from_db()
    assert round_.batch == batch


def test_it_publishes_nothing_of_a_cancelled_round(project: Project, round_: Round) -> None:
    rounds.cancel(round_)
    with pytest.raises(Cancelled):
        publishing.publish(round_, origin="r")
    assert not project.slots.exists()


def test_it_takes_back_what_is_out_when_the_round_is_cancelled_meanwhile(
    project: Project, round_: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batches.publish

    def publish(*args: Any, **kwargs: Any) -> Any:
        batch = real(*args, **kwargs)
        rounds.cancel(round_)
        return batch

    monkeypatch.setattr(batches, "publish", publish)
    with pytest.raises(Cancelled):
        publishing.publish(round_, origin="r")
    assert set(project.slots.values_list("state", flat=True)) == {Slot.State.WITHDRAWN}
    round_.refresh_from_db()
    assert round_.batch is None
