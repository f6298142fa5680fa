"""Freezing: the final labels of a moment as files that never change, with a record of where each came from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import LeakError
from annotation.intake.normalise import NORMALISER_VERSION
from annotation.models import DatasetVersion, Project, SchemaVersion
from annotation.selectors import datasets as reads
from annotation.selectors import schemas
from annotation.selectors.datasets import SPLITS, LabelledItem
from annotation.selectors.training_rows import examples_of
from annotation.services.archive import guard_writable
from annotation.task_types import registry
from annotation.task_types.content import content_of
from jobs import program
from jobs.services import artifacts

KIND = "dataset"
ROW_GROUP = 10_000
TABLE = pa.schema(
    [
        ("row", pa.int64()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("weight", pa.float32()),
        ("examples", pa.string()),
        ("posterior", pa.string()),
    ]
)
CATEGORICAL = (
    "classification"  # its examples are the columns text and label; other types have JSON in "examples"
)
MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much training items count, worked out by an app above.

    Attributes:
        by_row: the label that a weight was worked out for, and the weight. An item that has another label by
            now, or none here, counts 1.
        told: where they come from, for the manifest.
    """

    by_row: Mapping[int, tuple[str, float]]
    told: Mapping[str, Any]

    def of(self, row: int, label: str) -> float | None:
        known, weight = self.by_row.get(row, ("", 1.0))
        return weight if known == label else None


@dataclass
class _Split:
    """What was written of one split. `labels` and the rest are by row; a label is the answer's category, or a
    hash of the answer where its type has none."""

    labels: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)  # of each label or option that the answers name
    sources: dict[int, str] = field(default_factory=dict)
    clusters: dict[int, int] = field(default_factory=dict)  # cluster -> row
    prompts: dict[str, int] = field(default_factory=dict)  # hash of the prompt -> row
    weights: list[float] = field(default_factory=list)  # those that were given
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))


def freeze(
    project: Project, *, by: User | None = None, origin: str = "", weights: Weights | None = None
) -> DatasetVersion:
    """Write the project's final labels as a new version. With an `origin` that was frozen before, that
    version. `weights`: of the training items; None: all count alike.

    The folder holds train.parquet, validation.parquet and test.parquet (row, text, label, weight, examples,
    posterior; in the order of the rows) and dataset.json: the base version, what was added from which source,
    filters, counts, content hashes. `examples` are what the task type gives an objective to learn from, as
    JSON; empty for a classification, whose text and label say all. `posterior`: what people believed of the
    item, as JSON by label or option.

    Raises:
        LeakError: a test item, or a duplicate of one, would train; nothing is frozen.
        SchemaMissing: the project has no labels.
    """
    known = reads.by_origin(project, origin)
    if known is not None:
        return known
    guard_writable(project)
    schema, base = schemas.require(project), reads.latest(project)
    result = artifacts.scratch()
    with program.result_folder(result) as folder:
        splits, left_out = _write(project, schema, folder, weights)
        base_labels = _labels_of(base)
        _guard_leaks(project, splits, base_labels)
        manifest = _manifest(project, schema, base, splits, base_labels, left_out)
        manifest["weights"] = _weighed(splits["train"], weights) if weights else None
        (folder / "dataset.json").write_text(
            json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
        )
    manifest["files"] = json.loads((result / program.MANIFEST).read_text())["files"]
    return _book(
        project,
        base=base,
        artifact=artifacts.store(result, KIND),
        schema_version=schema,
        manifest=manifest,
        origin=origin,
        created_by=by,
    )


@transaction.atomic
def _book(project: Project, *, origin: str, manifest: dict[str, Any], **fields: Any) -> DatasetVersion:
    """The version's row and number; or that of whoever froze for the same reason just now."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    known = reads.by_origin(project, origin)
    if known is not None:
        return known
    newest, counts = reads.latest(project), manifest["counts"]
    version = DatasetVersion.objects.create(
        project=project,
        number=newest.number + 1 if newest else 1,
        manifest=manifest,
        origin=origin,
        **{f"{split}_count": counts[split] for split in SPLITS},
        **fields,
    )
    audit.record(
        "dataset.frozen",
        actor=version.created_by,
        scope=project.uuid,
        target=version,
        number=version.number,
        **counts,
    )
    return version


def _write(
    project: Project, schema: SchemaVersion, folder: Path, weights: Weights | None
) -> tuple[dict[str, _Split], int]:
    """The three files, streamed; and how many labelled items were left out since their label is no longer
    asked for.
    """
    label_field, left_out = schemas.label_field(schema), 0
    splits = {split: _Split() for split in SPLITS}
    waiting: dict[str, list[tuple[LabelledItem, dict[str, Any]]]] = {split: [] for split in SPLITS}
    writers = {split: pq.ParquetWriter(folder / f"{split}.parquet", TABLE) for split in SPLITS}
    try:
        for item in reads.labelled_items(project):
            example = _example(label_field, item)
            if example is None:
                left_out += 1
                continue
            example["weight"] = 1.0
            if (
                weights
                and item.split == "train"
                and (own := weights.of(item.row, example["label"])) is not None
            ):
                example["weight"] = own
                splits["train"].weights.append(own)
            _note(splits[item.split], item, example)
            waiting[item.split].append((item, example))
            if len(waiting[item.split]) == ROW_GROUP:
                _flush(writers[item.split], waiting[item.split])
        for split in SPLITS:
            _flush(writers[split], waiting[split])
    finally:
        for writer in writers.values():
            writer.close()
    return splits, left_out


def _example(label_field: Mapping[str, Any], item: LabelledItem) -> dict[str, Any] | None:
    """The cells that depend on the answer; None where the schema no longer takes it."""
    kind = registry.task_type(label_field)
    found = examples_of(label_field, content_of(item.text, item.data), item.value)
    if found is None:
        return None
    answer, examples = found
    label = (
        kind.category(label_field, answer)
        or hashlib.blake2b(_json(answer).encode(), digest_size=8).hexdigest()
    )
    rows = None if label_field["type"] == CATEGORICAL else _json(examples)
    believed = item.posterior.get(label_field["name"])
    return {
        "label": label,
        "uses": kind.uses(answer),
        "examples": rows,
        "posterior": _json(believed) if believed else None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _note(split: _Split, item: LabelledItem, example: Mapping[str, Any]) -> None:
    label = split.labels[item.row] = example["label"]
    split.counts.update(example["uses"])
    split.sources[item.row] = item.source
    split.clusters[item.cluster] = item.row
    split.prompts[item.prompt or item.content_hash] = item.row
    split.digest.update(f"{item.content_hash} {label}\n".encode())


def _flush(writer: pq.ParquetWriter, waiting: list[tuple[LabelledItem, dict[str, Any]]]) -> None:
    columns = [
        [item.row for item, _example in waiting],
        [item.text for item, _example in waiting],
        [example["label"] for _item, example in waiting],
        [example["weight"] for _item, example in waiting],
        [example["examples"] for _item, example in waiting],
        [example["posterior"] for _item, example in waiting],
    ]
    writer.write_table(pa.table(columns, schema=TABLE))
    waiting.clear()


def _weighed(train: _Split, weights: Weights) -> dict[str, Any]:
    """What the manifest says of weights: where from, how many items have one, how many of these count less than
    others, and the least.
    """
    return {
        **weights.told,
        "items": len(train.weights),
        "below": sum(weight < 1 for weight in train.weights),
        "least": round(min(train.weights, default=1.0), 4),
    }


def _labels_of(base: DatasetVersion | None) -> dict[str, dict[int, str]]:
    """Split -> row -> label of an earlier version."""
    if base is None:
        return {split: {} for split in SPLITS}
    folder = reads.folder(base)
    tables = {split: pq.read_table(folder / f"{split}.parquet", columns=["row", "label"]) for split in SPLITS}
    return {
        split: dict(zip(table["row"].to_pylist(), table["label"].to_pylist(), strict=True))
        for split, table in tables.items()
    }


def _guard_leaks(project: Project, splits: dict[str, _Split], base_labels: dict[str, dict[int, str]]) -> None:
    """Raise `LeakError` if something that trains (or tunes) is a test item, has been one in the base version, or
    shares its prompt (its text, where that is all of it) or its duplicate cluster with one.
    """
    leaks: list[dict[str, Any]] = []
    for name in ("train", "validation"):
        split = splits[name]
        for row in base_labels["test"].keys() & split.labels.keys():
            leaks.append({"split": name, "row": row, "test_row": row})
        if not split.labels:
            continue
        for test_row, cluster, prompt in reads.test_items(project):
            row = split.clusters.get(cluster, split.prompts.get(prompt, -1))
            if row >= 0:
                leaks.append({"split": name, "row": row, "test_row": test_row})
    if leaks:
        first = leaks[0]
        raise LeakError(
            _(
                "%(count)s labelled items would train and are test items, duplicates of test items, or ask the "
                "same as one (row %(row)s and test row %(test_row)s among them): hold them back, or give them "
                "back their split, then freeze again."
            )
            % {"count": len(leaks), "row": first["row"], "test_row": first["test_row"]},
            details={"leaks": leaks[:MOST_SHOWN], "count": len(leaks)},
        )


def _manifest(
    project: Project,
    schema: SchemaVersion,
    base: DatasetVersion | None,
    splits: dict[str, _Split],
    base_labels: dict[str, dict[int, str]],
    left_out: int,
) -> dict[str, Any]:
    label_field = schemas.label_field(schema)
    before = {row: label for labels in base_labels.values() for row, label in labels.items()}
    now = {row: label for split in splits.values() for row, label in split.labels.items()}
    sources = {row: name for split in splits.values() for row, name in split.sources.items()}
    return {
        "spec_version": 1,
        "project": str(project.uuid),
        "base": {"number": base.number, "uuid": str(base.uuid)} if base else None,
        "schema_version": schema.number,
        "type": label_field["type"],
        "labels": [label["id"] for label in label_field.get("labels", ())],
        "normaliser_version": NORMALISER_VERSION,
        "filters": {"duplicates": "left out", "held_back": "left out", "label_not_in_schema": left_out},
        "added_by_source": dict(Counter(sources[row] for row in now.keys() - before.keys())),
        "relabelled": sum(before[row] != now[row] for row in now.keys() & before.keys()),
        "removed": len(before.keys() - now.keys()),
        "counts": {name: len(split.labels) for name, split in splits.items()},
        "counts_by_label": {name: dict(split.counts) for name, split in splits.items()},
        "distinct_answers": {name: len(set(split.labels.values())) for name, split in splits.items()},
        "content": {name: split.digest.hexdigest() for name, split in splits.items()},
    }
