"""One small factory a model, for tests. Each makes the least that is valid and takes what a test cares for."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from accounts.models import User
from accounts.services import users
from annotation.models import Import, Item, Labeller, Membership, Project, Role, Source
from annotation.selectors import imports as import_reads
from annotation.services import imports, items, labellers, memberships, projects
from jobs.services import jobs

PASSWORD = "correct horse battery"
LABELS = ("Refund", "Card lost", "Other")
_numbers = itertools.count(1)


def make_user(username: str = "", **fields: Any) -> User:
    return users.create_user(username or f"person{next(_numbers)}", password=PASSWORD, **fields)


def make_project(
    name: str = "", *, labels: Sequence[Any] = LABELS, by: User | None = None, **fields: Any
) -> Project:
    """A project with three labels; `by` (if given) is its admin. No suggestion is hidden and nobody
    is asked the same item again by chance."""
    fields.setdefault("prelabel_hidden_share", 0.0)
    fields.setdefault("self_consistency_share", 0.0)
    return projects.create(name or f"Project {next(_numbers)}", created_by=by, labels=labels, **fields)


def add_member(project: Project, role: str = Role.ANNOTATOR, user: User | None = None) -> User:
    """A user (a new one if none is given) who belongs to the project with this role."""
    user = user or make_user()
    memberships.add(project, user, role)
    return user


def membership_of(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def make_source(project: Project, name: str = "") -> Source:
    return Source.objects.create(
        project=project, kind=Source.Kind.API, name=name or f"source {next(_numbers)}"
    )


def make_items(
    project: Project, texts: Iterable[str] | int = 3, *, split: str | None = None, source: str = "tests"
) -> list[Item]:
    """Items by the product's own door, in the order of `texts` (or so many made-up), of one split."""
    if isinstance(texts, int):
        texts = [f"text number {next(_numbers)}" for _ in range(texts)]
    records = [items.Record(text=text, split=split) for text in texts]
    added = items.add_items(project, records, source=source)
    found = Item.objects.in_bulk(added.item_ids)
    return [found[item_id] for item_id in added.item_ids]


def make_item(project: Project, text: str = "", *, split: str | None = "train") -> Item:
    return make_items(project, [text or f"text number {next(_numbers)}"], split=split)[0]


def make_model_labeller(project: Project, key: str = "") -> Labeller:
    key = key or f"model-{next(_numbers)}"
    return labellers.model(project, key, f"Model {key}")


def make_import(
    project: Project, *, lines: Iterable[str], name: str = "texts.csv", by: User | None = None
) -> Import:
    """An uploaded file with these lines, waiting for its columns."""
    return imports.upload(project, io.BytesIO("".join(f"{line}\n" for line in lines).encode()), name, by=by)


def make_round(project: Project, *, by: User | None = None, **spec: Any) -> Any:
    """A launched round, its first job queued. The batch is small enough for a project of few items."""
    from selection.round_spec import RoundSpec
    from selection.services import rounds

    return rounds.launch(project, RoundSpec(**{"batch_size": 2, "learner": "probe", **spec}), by=by)


def make_labels(
    project: Project, items: Sequence[Item], labels: Sequence[str], source: str = "labels"
) -> None:
    """Final labels for items, by the import door; `labels` are names, one an item."""
    from annotation.services.items import Record, add_items

    records = [Record(text=item.text, label=label) for item, label in zip(items, labels, strict=True)]
    add_items(project, records, source=source)


def make_dataset(project: Project, *, train: int = 12, test: int = 6, validation: int = 0) -> Any:
    """A frozen version of so many made-up texts, labelled in turn with the project's labels."""
    from annotation.selectors import schemas
    from annotation.services import datasets

    names = [label["name"] for label in schemas.label_field(schemas.require(project))["labels"]]
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        texts = [f"{names[i % len(names)]} {split} {next(_numbers)}" for i in range(count)]
        made = make_items(project, texts, split=split)
        make_labels(project, made, [names[i % len(names)] for i in range(count)])
    return datasets.freeze(project)


def make_artifact(kind: str = "model", **files: str) -> Any:
    """A stored folder of small text files, different each time."""
    from pathlib import Path

    from django.conf import settings

    from jobs import program
    from jobs.services import artifacts

    folder = Path(settings.DATA_DIR) / "work" / f"made-{next(_numbers)}"
    with program.result_folder(folder) as target:
        for name, text in (files or {"made": folder.name}).items():
            (target / name).write_text(text)
    return artifacts.store(folder, kind)


def make_model(project: Project, dataset: Any = None, *, learner: str = "probe") -> Any:
    """A booked model of a made-up run; its files cannot predict."""
    from training.models import ModelVersion, TrainingRun
    from training.services import runs
    from training.services.numbering import next_number

    run = runs.launch(project, dataset or make_dataset(project), learner=learner)
    TrainingRun.objects.filter(pk=run.pk).update(state="done")
    return ModelVersion.objects.create(
        project=project,
        number=next_number(ModelVersion, project),
        run=run,
        artifact=make_artifact(),
        labels=run.spec["labels"],
    )


def make_evaluation(
    model: Any, *, right: int = 80, wrong: int = 20, baseline: Any = None, **difference: float
) -> Any:
    """An evaluation of so many right and wrong answers, all figures worked out by the product's own measures."""
    import numpy as np

    from training.evaluation import metrics
    from training.models import Evaluation

    k = len(model.labels)
    gold = np.arange(right + wrong) % k
    answers = np.where(np.arange(right + wrong) < right, gold, (gold + 1) % k)
    probs = np.full((len(gold), k), 0.1 / (k - 1))
    probs[np.arange(len(gold)), answers] = 0.9
    figures = metrics.measure(probs, gold, tuple(model.labels), rng=np.random.default_rng(0), resamples=50)
    return Evaluation.objects.create(
        project=model.project,
        model=model,
        baseline=baseline,
        dataset=model.run.dataset,
        figures={
            "model": figures.to_json(),
            "baseline": figures.to_json() if baseline else None,
            "difference": {"n": right + wrong, **difference} if difference else None,
        },
    )


def run_import(import_run: Import) -> Import:
    """Run the import's own job and nothing that it sets off."""
    job = import_reads.job(import_run)
    assert job is not None
    jobs.run(job.pk)
    import_run.refresh_from_db()
    return import_run
