"""What a round picks by: its strategy, or what stands in for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs import program
from jobs.services import artifacts
from selection.models import Column
from selection.round_spec import RoundSpec
from selection.services import changes, draws, picking, pool
from tests import factories

pytestmark = pytest.mark.django_db
SPEC = RoundSpec(strategy="version_disagreement", batch_size=4, settings={"disagreement": "vote_entropy"})


def scored(project: Any, rows: range, settings: Any, *, learner: str = "probe") -> Any:
    """A model that has scored these rows."""
    dataset = project.datasets.first() or factories.make_dataset(project)
    model = factories.make_model(project, dataset, learner=learner)
    folder = settings.DATA_DIR / "work" / f"scores-{model.number}"
    with program.result_folder(folder) as target:
        np.save(target / "probs.npy", np.full((len(rows), 3), 1 / 3 + model.number * 1e-6, dtype=np.float32))
        np.save(target / "rows.npy", np.array(rows, dtype=np.int64))
    stored = artifacts.store(folder, "probabilities")
    pool.add_shard(project, Column.Kind.PROBABILITY, str(model.uuid), stored, "probs.npy")
    return model


def test_earlier_versions_are_those_of_the_same_labels_that_scored_half_of_it(settings) -> None:
    project = factories.make_project()
    few, other, some, now = (scored(project, range(n), settings) for n in (2, 10, 6, 10))
    other.labels = ["yes", "no"]
    other.save(update_fields=["labels"])
    assert picking.earlier_versions(now, SPEC) == [some]
    assert picking.earlier_versions(now, replace(SPEC, batch_size=7)) == []  # too few for such a batch
    assert picking.earlier_versions(few, SPEC) == picking.earlier_versions(None, SPEC) == []
    plan = picking.plan_for(now, has_labels=True, spec=SPEC)
    assert (plan.strategy, plan.versions, plan.settings) == (SPEC.strategy, [some], SPEC.settings)


def test_one_version_alone_goes_by_the_margin_and_says_so(settings) -> None:
    now = scored(factories.make_project(), range(4), settings)
    plan = picking.plan_for(now, has_labels=True, spec=SPEC)
    assert (plan.strategy, plan.settings, plan.model) == ("margin", {}, now)
    assert plan.note.startswith("No earlier version of the model knows the same labels")
    assert picking.plan_for(None, has_labels=True, spec=SPEC).strategy == "cold_start"


DROPOUT = replace(SPEC, settings={"committee": "dropout"})


def test_draws_with_dropout_need_a_fine_tuned_model(settings) -> None:
    project = factories.make_project()
    probe, tuned = (
        scored(project, range(4), settings),
        scored(project, range(4), settings, learner="finetune"),
    )
    plan = picking.plan_for(probe, has_labels=True, spec=DROPOUT)
    assert (plan.strategy, plan.has_draws) == ("margin", False)
    assert plan.note.startswith("The model is a probe, which has nothing to drop")
    plan = picking.plan_for(tuned, has_labels=True, spec=DROPOUT)
    assert (plan.strategy, plan.has_draws, plan.versions, plan.note) == (SPEC.strategy, True, [], "")


class Ctx:
    """A job that writes made-up draws in place of running the program."""

    def __init__(self, folder: Any) -> None:
        self.folder, self.texts = folder, []

    def attempt_folder(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def log(self, _text: str) -> None: ...

    def run_program(self, module: str, spec: dict[str, Any]) -> Any:
        assert module == "training.programs.draws"
        rows = pq.read_table(spec["texts"])["row"].to_numpy()
        self.texts.append(rows.tolist())
        with program.result_folder(self.folder / f"draws-{len(self.texts)}") as target:
            np.save(target / "draws.npy", np.full((len(rows), 2 * 3), 1 / 3, dtype=np.float32))
            np.save(target / "rows.npy", rows)
        return self.folder / f"draws-{len(self.texts)}"


def test_draws_are_made_for_the_least_sure_and_once(settings, monkeypatch, tmp_path) -> None:
    project = factories.make_project()
    factories.make_items(project, 6, split="train")
    monkeypatch.setattr(draws, "MOST", 3)
    model = factories.make_model(project, learner="finetune")
    sure = np.array([[0.9, 0.1, 0], [0.5, 0.5, 0], [0.8, 0.2, 0], [0.6, 0.4, 0], [0.7, 0.3, 0], [1, 0, 0]])
    folder = settings.DATA_DIR / "work" / f"sure-{model.number}"
    with program.result_folder(folder) as target:
        np.save(target / "probs.npy", sure.astype(np.float32))
        np.save(target / "rows.npy", np.arange(6))
    stored = artifacts.store(folder, "probabilities")
    pool.add_shard(project, Column.Kind.PROBABILITY, str(model.uuid), stored, "probs.npy")
    ctx = Ctx(settings.DATA_DIR / "work" / f"ctx-{model.number}")
    rows = np.arange(6)
    assert draws.ensure(ctx, model, rows, seed=1) == 3 and ctx.texts == [[1, 3, 4]]
    assert draws.ensure(ctx, model, rows, seed=1) == 0 and len(ctx.texts) == 1
    assert draws.ensure(ctx, model, rows[rows != 1], seed=1) == 1 and ctx.texts[1] == [2]


def test_it_says_how_many_predictions_the_new_model_has_changed(settings, tmp_path) -> None:
    project = factories.make_project()
    before, after = scored(project, range(4), settings), scored(project, range(6), settings)
    factories.make_items(project, 6, split="train")
    round_ = factories.make_round(project)
    round_.model = after
    np.save(tmp_path / "rows.npy", np.arange(6))
    turned = np.tile(np.array([[0.1, 0.2, 0.7]], dtype=np.float32), (6, 1))
    turned[0] = [0.7, 0.2, 0.1]  # the likeliest of equal ones is the first: as before
    np.save(tmp_path / "probs.npy", turned)
    shard = {"values": str(tmp_path / "probs.npy"), "rows": str(tmp_path / "rows.npy")}
    order = {"rows": str(tmp_path / "rows.npy"), "probabilities": [shard]}
    found = changes.of_model(round_, order)
    assert found == changes.Changed(share=0.75, items=4, before=before.number)
    said = f"The model answers 75.0 % of 4 items otherwise than m{before.number} did."
    assert changes.note(found) == said
    round_.model = before
    assert changes.of_model(round_, order) is None and changes.note(None) == ""
