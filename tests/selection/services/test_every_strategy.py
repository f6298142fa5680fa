"""What a round may pick from, whatever its strategy: no test item, no copy, one item of a duplicate cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from annotation.models import Item, Project
from jobs import program
from jobs.services import artifacts
from selection.models import Column
from selection.programs import pick
from selection.round_spec import RoundSpec
from selection.services import picking, pool
from selection.strategies.registry import STRATEGIES
from tests import factories
from training.models import ModelVersion

pytestmark = pytest.mark.django_db
WIDTH, LABELS, TRAIN, TEST, PAIRS = 8, 3, 24, 12, 6


def _add_column(project: Project, folder: Path, key: str, kind: str, name: str, values: np.ndarray) -> None:
    """Values of every row of the project, test items among them: what leaves those out must be the choice."""
    with program.result_folder(folder) as target:
        np.save(target / name, values.astype(np.float32))
        np.save(target / "rows.npy", np.arange(len(values), dtype=np.int64))
    pool.add_shard(project, kind, key, artifacts.store(folder, "column"), name)


@pytest.fixture
def models(settings: Any) -> list[ModelVersion]:
    """Two models of a project with labelled, train and test items; of the train items `PAIRS` are near copies of
    others, and one text was imported twice."""
    project = factories.make_project()
    dataset = factories.make_dataset(project, train=12, test=3)
    made = factories.make_items(project, TRAIN, split="train")
    for one, other in zip(made[:PAIRS], made[PAIRS : 2 * PAIRS], strict=True):
        Item.objects.filter(pk=other.pk).update(cluster=one.cluster)
    factories.make_items(project, [made[0].text], source="again")
    factories.make_items(project, TEST, split="test")
    rng = np.random.default_rng(0)
    count = project.items.count()
    vectors = rng.normal(size=(count, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    key, work = pool.embedding_key(project), settings.DATA_DIR / "work"
    _add_column(
        project, work / f"vectors-{project.pk}", key, Column.Kind.EMBEDDING, "embeddings.npy", vectors
    )
    found = [factories.make_model(project, dataset) for _ in range(2)]
    for model in found:
        probs = rng.dirichlet(np.ones(LABELS), count)
        folder = work / f"probs-{model.uuid}"
        _add_column(project, folder, str(model.uuid), Column.Kind.PROBABILITY, "probs.npy", probs)
    return found


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_it_picks_among_train_items_and_one_of_each_cluster(
    models: list[ModelVersion], name: str, tmp_path: Path
) -> None:
    earlier, model = models
    project = model.project
    spec = RoundSpec(strategy=name, batch_size=TRAIN - PAIRS, control_share=0.2)
    plan = picking.plan_for(model, has_labels=True, spec=spec)
    assert plan.strategy == name  # no other stands in for it
    assert plan.versions == ([earlier] if "versions" in STRATEGIES[name].needs else [])
    labelled = str(artifacts.path(model.run.dataset.artifact) / "train.parquet")
    order = picking.order(project, plan, spec, tmp_path, labelled=labelled)
    split = dict(project.items.values_list("row", "split"))
    rows = np.load(tmp_path / "rows.npy")
    assert {split[row] for row in rows.tolist()} == {Item.Split.TRAIN} and len(rows) == TRAIN
    pick.work({**order, "result": str(tmp_path / "result")})
    picked = pq.read_table(tmp_path / "result" / "picks.parquet")["row"].to_pylist()
    assert set(picked) <= set(rows.tolist()) and len(picked) == spec.batch_size
    clusters = project.items.filter(row__in=picked).values_list("cluster", flat=True)
    assert len(set(clusters)) == len(picked)
