"""Simulated labelling: the product's own rounds on a labelled file, with the file as the oracle.

Everything a project goes through happens here too, by the same services: items come in and are split, rounds
train, judge, score, pick and publish, and an oracle leases slots and submits the file's labels. It runs in
whatever database is configured; the command `simulate` gives it a temporary one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from accounts.models import User
from annotation.models import Batch, Item, Project, Resolution, Slot, Source
from annotation.selectors import schemas
from annotation.services import datasets, items, labelling, projects, queue
from annotation.services.items import Record
from jobs import program
from jobs.errors import JobsError
from jobs.models import Job, State
from jobs.services import artifacts, dispatch, jobs
from selection.errors import SimulationRefused
from selection.models import Column, Round, Station
from selection.round_spec import RoundSpec
from selection.services import builds, examples, pool, rounds, steps
from selection.services.examples import Examples
from selection.services.picking import COLD_START
from training.models import Evaluation
from training.services import evaluations, programs, runs

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SimulationSpec:
    """What to simulate. Paths and columns are as for an import; all strategies share the seeds' splits."""

    data: str
    test: str = ""
    text: str = "text"
    label: str = "label"
    strategies: tuple[str, ...] = ("default", "random")
    batch: int = 25
    rounds: int = 20
    seeds: int = 3
    first_seed: int = 0
    learner: str = "probe"
    learner_settings: dict[str, Any] = field(default_factory=dict)
    control_share: float = 0.1
    embeddings: str = ""  # a folder made by `examples.embed_ahead`, to save each process the same work

    def __post_init__(self) -> None:
        for name in ("batch", "rounds", "seeds"):
            if getattr(self, name) < 1:
                raise SimulationRefused(f"--{name} is {getattr(self, name)}, expected 1 or more")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SimulationSpec:
        return cls(**{**data, "strategies": tuple(data["strategies"])})


@dataclass(frozen=True, kw_only=True)
class Course:
    """How one strategy went with one seed: test accuracy after each batch, and seconds a round."""

    strategy: str
    seed: int
    labels: list[int]
    accuracy: list[float]
    seconds: list[float]


def measure(spec: SimulationSpec, *, on_progress: Report = lambda line: None) -> list[Course]:
    """Run every strategy with every seed, one after the other, in this process (a fine-tune is still its
    own).

    Raises:
        SimulationRefused: the files cannot be used, or they hold too few items for so many batches.
    """
    found = examples.read_examples(spec)
    courses = []
    with dispatch.held(), steps.by_hand_only(), programs.in_this_process():
        for seed in range(spec.first_seed, spec.first_seed + spec.seeds):
            for strategy in spec.strategies:
                courses.append(_course(spec, found, strategy, seed, on_progress))
    return courses


def _course(spec: SimulationSpec, found: Examples, strategy: str, seed: int, on_progress: Report) -> Course:
    project, oracle = _project(spec, found, strategy, seed)
    labeller = User.objects.get_or_create(username="oracle", defaults={"is_superuser": True})[0]
    labels: list[int] = []
    accuracy: list[float] = []
    seconds: list[float] = []
    for number in range(spec.rounds):
        started = time.perf_counter()
        # Every strategy has the same first batch for a seed, so that courses are paired and differ by the
        # strategy alone.
        round_ = _round(project, spec, strategy if number else COLD_START, seed=seed * 10_000 + number)
        if number:
            accuracy.append(_accuracy_of(round_))
            on_progress(_line(strategy, seed, number, spec.rounds, labels[-1], accuracy[-1]))
        assert round_.batch is not None
        labels.append((labels[-1] if labels else 0) + _answer(project, labeller, round_.batch, oracle))
        seconds.append(time.perf_counter() - started)
    accuracy.append(_last_accuracy(project, spec, seed))
    on_progress(_line(strategy, seed, spec.rounds, spec.rounds, labels[-1], accuracy[-1]))
    return Course(strategy=strategy, seed=seed, labels=labels, accuracy=accuracy, seconds=seconds)


def _line(strategy: str, seed: int, number: int, count: int, labels: int, accuracy: float) -> str:
    return f"{strategy} · seed {seed} · batch {number} of {count} · {labels} labels · accuracy {accuracy:.3f}"


def _project(
    spec: SimulationSpec, found: Examples, strategy: str, seed: int
) -> tuple[Project, dict[int, str]]:
    """A project with the file's texts, only test items labelled; and the oracle: item id -> label id."""
    project = projects.create(
        f"{strategy} {seed}",
        labels=found.labels,
        seed=seed,
        validation_share=0.0,
        test_share=examples.TEST_SHARE,
        overlap_share=0.0,
        evaluation_items=0,
        spot_check_share=0.0,
        self_consistency_share=0.0,
        batch_size=spec.batch,
        control_share=spec.control_share,
        lease_seconds=86_400,
    )
    records = [
        Record(text=row.text, split=row.split, label=row.label if row.split == "test" else None)
        for row in examples.divided(found, seed)
    ]
    added = items.add_items(project, records, source=Path(spec.data).name, kind=Source.Kind.FILE)
    ids = examples.label_ids(schemas.require(project).definition)
    oracle: dict[int, str] = {}
    for item_id, row in zip(added.item_ids, examples.divided(found, seed), strict=True):
        if item_id is not None:
            oracle.setdefault(item_id, ids[row.label])
    waiting = pool.candidates(project).count()
    if waiting < spec.batch * spec.rounds:
        raise SimulationRefused(
            f"{spec.rounds} batches of {spec.batch} need {spec.batch * spec.rounds} items, and the file "
            f"leaves {waiting} to pick from: lower --rounds or --batch"
        )
    _embed(project, spec)
    return project, oracle


def _embed(project: Project, spec: SimulationSpec) -> None:
    """Fill the embedding column from what was embedded ahead, else by the job."""
    if spec.embeddings:
        rows, vectors = examples.embedded_ahead(project, Path(spec.embeddings))
        folder = settings.DATA_DIR / "work" / f"embedded-{project.pk}"  # the worker's own, unlike the other
        folder.parent.mkdir(parents=True, exist_ok=True)
        with program.result_folder(folder) as target:
            np.save(target / "rows.npy", rows)
            np.save(target / "embeddings.npy", vectors)
        artifact = artifacts.store(folder, "embeddings")
        pool.add_shard(
            project, Column.Kind.EMBEDDING, pool.embedding_key(project), artifact, "embeddings.npy"
        )
        return
    job = builds.ensure_embeddings(project)
    jobs.drain()
    _check(job)


def _round(project: Project, spec: SimulationSpec, strategy: str, *, seed: int) -> Round:
    """One round, run to its end here and now."""
    round_ = rounds.launch(
        project,
        RoundSpec(
            strategy=strategy,
            batch_size=spec.batch,
            control_share=spec.control_share,
            seed=seed,
            learner=spec.learner,
            learner_settings=spec.learner_settings,
            evidence=False,
        ),
    )
    rounds.run_to_end(round_)
    if round_.state != Round.State.DONE:
        raise SimulationRefused(f"round {round_.number} of {project} ended as {round_.state}: {round_.error}")
    return round_


def _answer(project: Project, labeller: User, batch: Batch, oracle: dict[int, str]) -> int:
    """The oracle labels every free slot of the batch through the queue; how many it answered."""
    name = schemas.label_field(schemas.require(project))["name"]
    answered = 0
    while slots := queue.lease(
        project, labeller, count=batch.slots.filter(state=Slot.State.FREE).count() or 1
    ):
        for slot in slots:
            labelling.submit(
                project, labeller, slot.uuid, {name: oracle[slot.item_id]}, client_key=str(slot.uuid)
            )
            answered += 1
    return answered


def _accuracy_of(round_: Round) -> float:
    """Accuracy on the test items of the model this round has trained."""
    detail = round_.stations.get(name=Station.EVALUATE).detail
    return float(detail["accuracy"]) if "accuracy" in detail else _accuracy_without_model(round_.project)


def _accuracy_without_model(project: Project) -> float:
    """While all labels are alike there is no model, and one would always give that label."""
    field = schemas.label_field(schemas.require(project))["name"]
    current = Resolution.objects.filter(project=project, is_current=True)
    known = current.filter(item__split=Item.Split.TRAIN).values_list(f"value__{field}", flat=True).first()
    test = list(current.filter(item__split=Item.Split.TEST).values_list(f"value__{field}", flat=True))
    return test.count(known) / len(test) if test else 0.0


def _last_accuracy(project: Project, spec: SimulationSpec, seed: int) -> float:
    """After the last batch no round follows: its labels are frozen, learnt and judged all the same."""
    dataset = datasets.freeze(project, by=None, origin="simulation:end")
    if runs.classes_in(dataset) < 2:
        return _accuracy_without_model(project)
    features = [dict(shard) for shard in pool.embedding_shards(project)]
    run = runs.launch(
        project, dataset, learner=spec.learner, settings=spec.learner_settings, seed=seed, features=features
    )
    jobs.drain()
    _check(run.job)
    job = evaluations.launch(run.model_version, dataset, features=features)
    jobs.drain()
    _check(job)
    return float(
        Evaluation.objects.get(model=run.model_version, dataset=dataset).figures["model"]["accuracy"]
    )


def _check(job: Job | None) -> None:
    assert job is not None
    job.refresh_from_db()
    if job.state != State.DONE:
        raise JobsError(job.error or f"{job.kind} ended as {job.state}")
