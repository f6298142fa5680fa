"""The state machine of rounds. What the stations do is replaced by stand-ins here; tests of theirs are beside
this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from annotation.errors import SchemaMissing
from annotation.models import Import, Project
from annotation.services import projects, schemas
from jobs import registry
from jobs.errors import JobsError
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import dispatch, jobs
from jobs.services.context import JobContext
from selection.errors import BadSpec, PoolTooSmall, RoundEnded, RoundRunning
from selection.models import Round, RoundStation, Station
from selection.round_spec import RoundSpec
from selection.services import rounds, steps
from tests import factories

Function = Callable[[JobContext], dict[str, Any]]
WARM = {"train_labels": {"a": 3, "b": 2}, "note": "5 labels"}


class Stations:
    """Stand-ins for what the stations do: what each returns, and how often it ran."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {name: {"note": name} for name in Station.values}
        self.results["collect"] = WARM
        self.results["train"] = {"number": 1, "model": "m"}
        self.results["evaluate"] = {"accuracy": 0.5}
        self.ran: list[str] = []

    def function(self, name: str) -> Function:
        def run(ctx: JobContext) -> dict[str, Any]:
            self.ran.append(name)
            result = self.results[name]
            if isinstance(result, BaseException):
                raise result
            if callable(result):
                return dict(result(ctx))
            return dict(result)

        return run


@pytest.fixture
def stations(monkeypatch: pytest.MonkeyPatch) -> Stations:
    found = Stations()
    any_kind = next(iter(registry.KINDS.values()))
    for name in Station.values:
        kind = replace(any_kind, name=f"tests.{name}", function=found.function(name), max_attempts=3)
        monkeypatch.setitem(registry.KINDS, kind.name, kind)

    def start(round_: Round, station: str) -> Job:
        return jobs.enqueue(
            f"tests.{station}", subject=round_, scope=round_.project.uuid, key=f"{round_.uuid}:{station}"
        )

    monkeypatch.setattr(steps, "start", start)
    monkeypatch.setattr(steps, "_scoring_model", lambda round_: object())
    return found


@pytest.fixture
def project(db: None) -> Project:
    project = factories.make_project()
    factories.make_items(project, 6, split="train")
    return project


def states(round_: Round) -> dict[str, str]:
    return dict(round_.stations.values_list("name", "state"))


def test_it_queues_the_first_station_and_no_other(project: Project, stations: Stations) -> None:
    round_ = factories.make_round(project)
    assert states(round_) == {**dict.fromkeys(Station.values, "waiting"), "collect": "running"}
    assert list(Job.objects.values_list("kind", "state")) == [("tests.collect", "queued")]
    assert RoundSpec.from_json(round_.spec).batch_size == 2
    assert AuditEntry.objects.filter(verb="round.launched", target_id=str(round_.uuid)).count() == 1


def test_it_passes_all_stations_in_order_and_keeps_what_came_out(
    project: Project, stations: Stations
) -> None:
    round_ = rounds.run_to_end(factories.make_round(project))
    assert round_.state == Round.State.DONE and round_.finished_at is not None
    assert stations.ran == Station.values
    collect = round_.stations.get(name="collect")
    assert (collect.note, collect.detail) == ("5 labels", {"train_labels": {"a": 3, "b": 2}})
    assert round_.stations.get(name="evaluate").note == "accuracy 50.0 %"


@pytest.mark.parametrize("labels", [{}, {"a": 7}, {"a": 7, "b": 0}])
def test_it_leaves_out_training_where_there_is_too_little_to_learn(
    project: Project, stations: Stations, monkeypatch: pytest.MonkeyPatch, labels: dict[str, int]
) -> None:
    stations.results["collect"] = {"train_labels": labels}
    monkeypatch.setattr(steps, "_scoring_model", lambda round_: None)
    round_ = rounds.run_to_end(factories.make_round(project))
    assert stations.ran == ["collect", "pick", "publish"]
    skipped = {name for name, state in states(round_).items() if state == "skipped"}
    assert skipped == {"freeze", "train", "evaluate", "decide", "score"}
    assert "at least two labels" in round_.stations.get(name="train").note
    assert round_.state == Round.State.DONE


def test_it_scores_with_the_model_of_before_where_labels_are_too_few_now(
    project: Project, stations: Stations
) -> None:
    stations.results["collect"] = {"train_labels": {}}
    rounds.run_to_end(factories.make_round(project))
    assert stations.ran == ["collect", "score", "pick", "publish"]


@pytest.mark.parametrize("name", Station.values)
def test_it_fails_with_the_sentence_and_goes_on_from_there_when_tried_again(
    project: Project, stations: Stations, name: str
) -> None:
    good, stations.results[name] = stations.results[name], JobsError("the disk is full: free some space")
    round_ = rounds.run_to_end(factories.make_round(project))
    assert (round_.state, round_.error) == ("failed", "the disk is full: free some space")
    assert round_.stations.get(name=name).state == "failed"
    before = list(stations.ran)
    stations.results[name] = good
    rounds.retry(round_)
    assert (round_.state, round_.error) == ("running", "")
    rounds.run_to_end(round_)
    assert round_.state == Round.State.DONE
    assert stations.ran == before + Station.values[Station.values.index(name) :]


def test_it_fails_where_a_station_cannot_even_start(
    project: Project, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = steps.start

    def refuse(round_: Round, station: str) -> Job:
        if station == "train":
            raise BadSpec("nothing to train on")
        return start(round_, station)

    monkeypatch.setattr(steps, "start", refuse)
    round_ = rounds.run_to_end(factories.make_round(project))
    assert (round_.state, round_.error) == ("failed", "nothing to train on")
    monkeypatch.setattr(steps, "start", start)
    rounds.retry(round_)
    assert rounds.run_to_end(round_).state == "done"


@pytest.mark.parametrize("name", Station.values)
def test_it_can_be_cancelled_at_any_station(project: Project, stations: Stations, name: str) -> None:
    round_ = factories.make_round(project)
    for _step in range(Station.values.index(name)):
        jobs.run(Job.objects.get(state=JobState.QUEUED).pk)
        rounds.advance(round_)
    rounds.cancel(round_)
    assert round_.state == "cancelled" and round_.finished_at is not None
    assert round_.stations.get(name=name).state == "cancelled"
    assert Job.objects.get(kind=f"tests.{name}").state == JobState.CANCELLED
    jobs.drain()
    rounds.advance(round_)
    assert stations.ran == Station.values[: Station.values.index(name)]
    with pytest.raises(RoundEnded, match="nothing to cancel"):
        rounds.cancel(round_)


def test_it_is_cancelled_when_its_job_is_cancelled_on_the_jobs_page(
    project: Project, stations: Stations
) -> None:
    round_ = factories.make_round(project)
    jobs.cancel(Job.objects.get(), None)
    rounds.advance(round_)
    round_.refresh_from_db()
    assert (round_.state, states(round_)["collect"]) == ("cancelled", "cancelled")


def test_it_changes_nothing_when_advanced_again_and_again(project: Project, stations: Stations) -> None:
    round_ = factories.make_round(project)
    for _time in range(5):
        rounds.advance(round_)
    assert Job.objects.count() == 1
    jobs.drain()
    for _time in range(5):
        rounds.advance(round_)
    assert list(Job.objects.order_by("pk").values_list("kind", flat=True)) == [
        "tests.collect",
        "tests.freeze",
    ]


def test_it_starts_a_station_whose_start_was_lost(project: Project, stations: Stations) -> None:
    """A process died between taking the station and noting its job."""
    round_ = factories.make_round(project)
    RoundStation.objects.filter(round=round_, name="collect").update(job=None)
    rounds.advance(round_)
    assert Job.objects.count() == 1  # the job is found again by its key
    assert rounds.run_to_end(round_).state == "done"


def test_it_ends_where_the_process_died_between_station_and_round(
    project: Project, stations: Stations
) -> None:
    round_ = factories.make_round(project)
    RoundStation.objects.filter(round=round_, name="collect").update(state="failed", note="no space")
    rounds.advance(round_)
    round_.refresh_from_db()
    assert (round_.state, round_.error) == ("failed", "no space")


def test_it_goes_on_after_the_worker_was_killed(project: Project, stations: Stations) -> None:
    round_ = factories.make_round(project)
    job = Job.objects.get()
    long_ago = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, token="dead", attempts=1, heartbeat_at=long_ago
    )
    rounds.advance(round_)
    assert states(round_)["collect"] == "running"
    with dispatch.held():
        jobs.sweep()
    assert rounds.run_to_end(round_).state == "done"
    job.refresh_from_db()
    assert job.attempts == 2


def test_it_is_run_to_its_end_though_the_process_that_began_was_killed_and_no_scheduler_runs(
    project: Project, stations: Stations
) -> None:
    round_ = factories.make_round(project)
    long_ago = timezone.now() - timedelta(minutes=5)
    Job.objects.update(state=JobState.RUNNING, token="dead", attempts=1, heartbeat_at=long_ago)
    assert rounds.run_to_end(round_).state == "done"


@pytest.mark.django_db(transaction=True)
def test_it_is_moved_by_the_signal_of_its_jobs(stations: Stations) -> None:
    project = factories.make_project()
    factories.make_items(project, 6, split="train")
    with dispatch.held():
        round_ = factories.make_round(project)
        jobs.drain()
    round_.refresh_from_db()
    assert round_.state == "done"


def test_it_is_moved_by_the_tick_where_signals_are_lost(project: Project, stations: Stations) -> None:
    round_ = factories.make_round(project)
    for _time in range(len(Station.values) + 1):
        jobs.drain()
        rounds.advance_all()
    round_.refresh_from_db()
    assert round_.state == "done"


def test_it_fails_a_broken_round_and_moves_the_others(
    project: Project, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factories.make_project()
    factories.make_items(other, 6, split="train")
    broken, sound = factories.make_round(project), factories.make_round(other)
    outcome = steps.outcome

    def explode(round_: Round, station: str, job: Job) -> dict[str, Any]:
        if round_.pk == broken.pk:
            raise KeyError("surprise")
        return outcome(round_, station, job)

    monkeypatch.setattr(steps, "outcome", explode)
    jobs.drain()
    rounds.advance_all()
    broken.refresh_from_db()
    assert broken.state == "failed" and "surprise" in broken.error
    assert states(sound)["collect"] == "done"


def test_it_runs_one_round_of_a_project_at_a_time(project: Project, stations: Stations) -> None:
    first = factories.make_round(project)
    with pytest.raises(RoundRunning, match="Round 1 of this project is still running"):
        factories.make_round(project)
    rounds.cancel(first)
    assert factories.make_round(project).number == 2


def test_it_does_not_take_up_a_failed_round_beside_a_running_one(
    project: Project, stations: Stations
) -> None:
    stations.results["collect"] = JobsError("no")
    failed = rounds.run_to_end(factories.make_round(project))
    factories.make_round(project)
    with pytest.raises(RoundRunning):
        rounds.retry(failed)
    failed.refresh_from_db()
    assert failed.state == "failed" and states(failed)["collect"] == "failed"


def test_it_tries_only_failed_rounds_again(project: Project, stations: Stations) -> None:
    round_ = rounds.run_to_end(factories.make_round(project))
    with pytest.raises(RoundEnded, match="Only a failed round"):
        rounds.retry(round_)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ({"strategy": "best"}, BadSpec, "no strategy “best”: use one of random, "),
        ({"settings": {"colour": 1}}, BadSpec, "no setting colour"),
        ({"strategy": "margin_clipped", "settings": {"skip_share": 3}}, BadSpec, "skip_share"),
        ({"strategy": "blend", "settings": {"source_share": 1.5}}, BadSpec, "source_share"),
        ({"learner": "forest"}, BadSpec, "no learner 'forest'"),
        ({"learner_settings": {"c": -1}}, BadSpec, "c: found -1"),
        ({"batch_size": -1}, ValueError, "batch size of -1, expected 0 or more"),
        ({"batch_size": 7}, PoolTooSmall, "The pool has 6 unlabelled items, the batch needs 7"),
    ],
)
def test_it_refuses_orders_that_it_could_not_carry_out(
    project: Project, spec: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        factories.make_round(project, **spec)
    assert not Round.objects.exists() and not Job.objects.exists()


def test_it_refuses_a_project_that_is_paused(project: Project) -> None:
    projects.pause(project)
    with pytest.raises(BadSpec, match="is paused"):
        factories.make_round(project)


def test_it_starts_the_first_round_after_an_import(project: Project, stations: Stations) -> None:
    Project.objects.filter(pk=project.pk).update(batch_size=4, seed=9)
    project.refresh_from_db()
    round_ = rounds.start_first(project)
    assert round_ is not None and round_.created_by is None
    spec = RoundSpec.from_json(round_.spec)
    assert (spec.batch_size, spec.seed) == (4, 9)
    assert rounds.start_first(project) is None


def test_it_starts_no_round_where_nothing_waits_or_a_hand_is_on_it(project: Project) -> None:
    with steps.by_hand_only():
        assert rounds.start_first(project) is None
    assert rounds.start_first(factories.make_project()) is None
    projects.pause(project)
    assert rounds.start_first(project) is None


@pytest.mark.django_db(transaction=True)
def test_it_waits_with_the_first_round_until_there_are_labels(stations: Stations) -> None:
    project = factories.make_project(labels=[])
    factories.make_items(project, 6, split="train")
    Import.objects.filter(pk=factories.make_import(project, lines=["text", "a"]).pk).update(
        state=Import.State.DONE
    )
    assert rounds.start_first(project) is None and rounds.advance_all() == 0
    with pytest.raises(SchemaMissing, match="has no labels yet: add them in its settings"):
        factories.make_round(project)
    schemas.publish(project, factories.make_project().schemas.get().definition)
    assert rounds.advance_all() == 1 and project.rounds.get().number == 1


def test_it_makes_the_first_batch_no_larger_than_the_pool(project: Project, stations: Stations) -> None:
    round_ = rounds.start_first(project)
    assert round_ is not None and round_.spec["batch_size"] == 6


def test_it_starts_the_first_round_by_the_tick_where_the_signal_was_lost(
    project: Project, stations: Stations
) -> None:
    assert rounds.advance_all() == 0
    imported = factories.make_import(project, lines=["text", "a"])
    assert rounds.advance_all() == 0
    Import.objects.filter(pk=imported.pk).update(state=Import.State.DONE)
    assert rounds.advance_all() == 1
    assert Round.objects.get().number == 1
