"""Pick a batch: read the columns of the pool, run a strategy, write the picks with their score parts.

No torch. The same spec gives the same picks, bit for bit; a round is replayed by running its spec again.

Result folder:
    picks.parquet   row, rank, arm, inclusion_probability (null where the design has none), a column a score part
    probs.npy       (count, k) float32, the model's probabilities of the picked rows, in pick order; with a model
    tags.json       for each pick what makes it hard, with the figures of the rule; with a model and labels
    unsure.npy      (count, 4) float32, in place of it how unsure a model is whose answers are no single label
    map.json        a sample of pool, labelled and picked points in two dimensions
    rows.npy, clusters.npy, labelled.parquet, and seconds.npy, sources.npy, drawn.npy where the strategy asked
                    what was given, so that the folder alone says what was chosen from
    hardness.npy    (n, 2) float64, of each of `rows` the predicted loss and the similarity to the nearest
                    labelled item; where the strategy asks for hardness
    losses.npy      (m, 1) float64, cross-validated, of the items in labelled.parquet; where they were needed
    result.json     strategy, note, counts
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from jobs import program
from selection.programs import columns, losses, plane
from selection.programs.columns import Rows, Shard
from selection.programs.losses import Losses
from selection.strategies import registry
from selection.strategies.batch import CONTROL, Batch, pick_batch
from selection.strategies.hardness import tags as hard_tags
from selection.strategies.pool import Pool, distinct
from training import settings_schema

MAP_POINTS = 1_200
TAG_SAMPLE = 5_000  # labelled items that tags are judged against: 50 GFLOP among themselves


@dataclass(frozen=True, kw_only=True)
class PickSpec:
    """What to pick from and how.

    Attributes:
        result: the folder to make.
        rows: int64 (n,) .npy, ascending item rows of the pool.
        clusters: int64 (n,) .npy, duplicate cluster of each.
        seconds, sources: (n,) .npy, expected seconds and id of the source of each; "" where nothing asks.
        probabilities: shards of the model's probabilities; empty before there is a model.
        unsure: in place of them shards of how unsure a model is whose answers are no single label.
        embeddings: shards of the embedding column; they must hold all of `rows` and of `labelled`.
        embedding_key: name of that column, kept with the result.
        labelled: parquet (row, label) of the labelled train items, or "" if there are none.
        strategy, settings: a name in the registry and its settings.
        count: batch size, the control arm included.
        control_share: share of the batch that is drawn uniformly first.
        turn: rounds before this one; weights that move by round depend on it.
        modules: with a deployment's own strategies.
        versions: shards of the probabilities of earlier versions of the model, by the key of each.
        draws: shards of draws with dropout (training.programs.draws), in place of versions; drawn: int64 .npy,
            ascending rows that have them. For other rows the model itself stands in each place: there nothing
            disagrees.
        label_names: labels of the probabilities, by column; with them the picks are tagged by what makes them
            hard, and a balance of classes goes by how many items of each are labelled.
        hardness, losses: shards of what hardness.npy and losses.npy hold, of these labels and this seed; what
            they lack is worked out.
    """

    spec_version: int = 1
    result: str
    rows: str
    clusters: str
    seconds: str = ""
    sources: str = ""
    probabilities: list[Shard] = field(default_factory=list)
    unsure: list[Shard] = field(default_factory=list)
    embeddings: list[Shard]
    embedding_key: str = ""
    labelled: str = ""
    strategy: str
    settings: dict[str, Any] = field(default_factory=dict)
    count: int
    control_share: float = 0.0
    seed: int = 0
    turn: int = 0
    modules: list[str] = field(default_factory=list)
    versions: dict[str, list[Shard]] = field(default_factory=dict)
    draws: list[Shard] = field(default_factory=list)
    drawn: str = ""
    label_names: list[str] = field(default_factory=list)
    hardness: list[Shard] = field(default_factory=list)
    losses: list[Shard] = field(default_factory=list)

    def __post_init__(self) -> None:
        registry.add_from(self.modules)
        if self.strategy not in registry.STRATEGIES:
            known = ", ".join(registry.STRATEGIES)
            raise ValueError(f"there is no strategy {self.strategy!r}: use one of {known}")
        if self.count < 1:
            raise ValueError(f"found a count of {self.count}, expected 1 or more")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"a pick has no {', '.join(unknown)}")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def work(data: dict[str, Any]) -> None:
    """The program. Cost: that of the strategy, plus reading n rows of the columns."""
    try:
        spec = PickSpec.from_json(data)
        given = settings_schema.read(registry.STRATEGIES[spec.strategy].settings, spec.settings)
        program.progress(0, 3, "reading columns")
        pool, labels, hard = read_pool(spec)
        count = min(spec.count, len(distinct(pool)))
        program.progress(1, 3, f"picking {count} of {len(pool.rows)}")
        batch = pick_batch(
            pool,
            count,
            strategy=spec.strategy,
            settings=given,
            control_share=spec.control_share,
            rng=np.random.default_rng([spec.seed, 2]),
        )
    except (ValueError, OSError) as error:
        raise program.Refused(str(error)) from error
    program.progress(2, 3, "writing")
    with program.result_folder(spec.result) as folder:
        write(folder, spec, pool, batch, labels)
        losses.write(folder, hard)


def read_pool(
    spec: PickSpec, *, with_embeddings: bool = False
) -> tuple[Pool, npt.NDArray[np.str_], Losses | None]:
    """The pool as the strategy wants it, the labels of the labelled items ((m,) text, aligned with their
    embeddings), and the losses that hardness was made of.

    Hardness is worked out only for strategies that ask for it, since it trains probes; and of embeddings, the
    widest column by far, nothing is read for strategies that look at none, unless `with_embeddings`.
    """
    rows: Rows = np.load(spec.rows)
    labelled, labels = _labelled(spec)
    needs = registry.STRATEGIES[spec.strategy].needs
    embeddings = None
    if with_embeddings or needs & {"embeddings", "hardness"}:
        embeddings = columns.gather(spec.embeddings, rows)
    labelled_embeddings = columns.gather(spec.embeddings, labelled) if len(labelled) else None
    hard = None
    if "hardness" in needs and labelled_embeddings is not None and embeddings is not None:
        hard = losses.of_pool(
            rows,
            embeddings,
            labelled,
            labels,
            labelled_embeddings,
            kept=spec.hardness,
            kept_labelled=spec.losses,
            seed=spec.seed,
        )
    probs = columns.gather(spec.probabilities, rows) if spec.probabilities else None
    pool = Pool(
        rows=rows,
        probs=probs,
        versions=_versions(spec, rows, probs) if "versions" in needs else None,
        unsure=columns.gather(spec.unsure, rows) if spec.unsure else None,
        embeddings=embeddings,
        hardness=None if hard is None else np.ascontiguousarray(hard.pool[:, 0]),
        labelled_embeddings=labelled_embeddings,
        labelled_near=None if hard is None else hard.pool[:, 1].astype(np.float32),
        clusters=np.load(spec.clusters),
        seconds=np.load(spec.seconds) if spec.seconds else None,
        sources=np.load(spec.sources) if spec.sources else None,
        class_counts=_class_counts(spec, labels, probs),
        turn=spec.turn,
    )
    return pool, labels, hard


def _class_counts(
    spec: PickSpec, labels: npt.NDArray[np.str_], probs: npt.NDArray[np.floating[Any]] | None
) -> Rows | None:
    """(k,) labelled items of each of the model's labels; None where its labels are not told."""
    if probs is None or len(spec.label_names) != probs.shape[1]:
        return None
    return np.array([(labels == name).sum() for name in spec.label_names], dtype=np.int64)


def _versions(
    spec: PickSpec, rows: Rows, probs: npt.NDArray[np.floating[Any]] | None
) -> npt.NDArray[np.floating[Any]] | None:
    """(n, v, k) probabilities by the earlier versions, or by draws; None where there is none."""
    if spec.draws and probs is not None:
        at = np.flatnonzero(np.isin(rows, np.load(spec.drawn)))
        draws = columns.gather(spec.draws, rows[at]).reshape(len(at), -1, probs.shape[1])
        committee = np.repeat(probs[:, None], draws.shape[1], axis=1)
        committee[at] = draws
        return committee
    found = [columns.gather(shards, rows) for shards in spec.versions.values()]
    return np.stack(found, axis=1) if found else None


def _labelled(spec: PickSpec) -> tuple[Rows, npt.NDArray[np.str_]]:
    if not spec.labelled:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.str_)
    table = pq.read_table(spec.labelled, columns=["row", "label"]).sort_by("row")
    return table["row"].to_numpy().astype(np.int64), np.asarray(table["label"].to_pylist(), dtype=np.str_)


def write(
    folder: Path,
    spec: PickSpec,
    pool: Pool,
    batch: Batch,
    labels: npt.NDArray[np.str_],
    *,
    keep_inputs: bool = True,
) -> None:
    """Write all of the result but its manifest; see the module's own words.

    Without `keep_inputs` what was given is left out: it is as large as the pool, and only replays read it.
    """
    picked = pool.rows[batch.indices]
    table: dict[str, Any] = {
        "row": pa.array(picked, pa.int64()),
        "rank": pa.array(range(len(picked)), pa.int64()),
        "arm": pa.array([str(arm) for arm in batch.arm], pa.string()),
        "inclusion_probability": _nullable(batch.inclusion_probability, len(picked)),
    }
    for name, values in batch.parts.items():
        table[name] = _nullable(values, len(picked))
    pq.write_table(pa.table(table), folder / "picks.parquet")
    if pool.probs is not None:
        np.save(folder / "probs.npy", pool.probs[batch.indices].astype(np.float32))
    if pool.unsure is not None:
        np.save(folder / "unsure.npy", pool.unsure[batch.indices].astype(np.float32))
    for given, name in (
        (spec.rows, "rows.npy"),
        (spec.clusters, "clusters.npy"),
        (spec.seconds, "seconds.npy"),
        (spec.sources, "sources.npy"),
        (spec.drawn, "drawn.npy"),
        (spec.labelled, "labelled.parquet"),
    ):
        if given and keep_inputs:
            shutil.copyfile(given, folder / name)
    if tags := _tags(spec, pool, batch, labels):
        (folder / "tags.json").write_text(json.dumps(tags))
    (folder / "map.json").write_text(json.dumps(_map(spec, pool, batch)))
    result = {
        "spec_version": 1,
        "strategy": spec.strategy,
        "settings": spec.settings,
        "note": batch.note,
        "pool": len(pool.rows),
        "picked": len(picked),
        "control": int(sum(str(arm) == CONTROL for arm in batch.arm)),
        "labelled": len(labels),
        "versions": list(spec.versions),
        "embedding_key": spec.embedding_key,
        "label_names": spec.label_names,
        "weights": batch.weights,
        "parts": list(batch.parts),
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1))


def _tags(
    spec: PickSpec, pool: Pool, batch: Batch, labels: npt.NDArray[np.str_]
) -> list[list[dict[str, Any]]]:
    """What makes each pick hard, in pick order; nothing without a model of labels and labelled items.

    Judged against at most `TAG_SAMPLE` labelled items, drawn by the seed.
    """
    vectors, codes = pool.labelled_embeddings, {name: code for code, name in enumerate(spec.label_names)}
    if pool.probs is None or vectors is None or len(codes) != pool.probs.shape[1]:
        return []
    known = np.flatnonzero(np.isin(labels, spec.label_names))
    if len(known) > TAG_SAMPLE:
        known = np.sort(np.random.default_rng([spec.seed, 5]).choice(known, TAG_SAMPLE, replace=False))
    given = pool.embeddings
    picked = (
        columns.gather(spec.embeddings, pool.rows[batch.indices]) if given is None else given[batch.indices]
    )
    found = hard_tags.tag(
        pool.probs[batch.indices],
        picked,
        vectors[known],
        np.array([codes[str(name)] for name in labels[known]], dtype=np.int64),
    )
    return [
        [{**asdict(one), "labels": [spec.label_names[code] for code in one.labels]} for one in own]
        for own in found
    ]


def _map(spec: PickSpec, pool: Pool, batch: Batch) -> plane.Points:
    """Where no embeddings were read, those of a sample and of the picks are."""
    vectors, picked = pool.embeddings, batch.indices
    if vectors is None and spec.embeddings:
        few = np.random.default_rng([spec.seed, 4]).permutation(len(pool.rows))[:MAP_POINTS]
        shown = np.union1d(few, picked)
        vectors, picked = columns.gather(spec.embeddings, pool.rows[shown]), np.searchsorted(shown, picked)
    return plane.project(vectors, pool.labelled_embeddings, picked, limit=MAP_POINTS, seed=spec.seed)


def _nullable(values: Any, count: int) -> pa.Array:
    """Floats as a column; NaN and a missing array become nulls."""
    if values is None:
        return pa.nulls(count, pa.float64())
    numbers = np.asarray(values, dtype=np.float64)
    return pa.array(numbers, pa.float64(), mask=~np.isfinite(numbers))


if __name__ == "__main__":
    program.main(work)
