"""Judge a model's predictions on labelled test items, beside the deployed model's. numpy only; can be called
in process.

Result folder:
    result.json  n, type, labels, headline (the figure that decides), model (see training.evaluation.metrics,
                 and for types that are no single label training.evaluation.answers), baseline or null,
                 difference of the headline or null
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from annotation.quality.intervals import wilson
from jobs import program
from training.evaluation import compare, metrics, scores
from training.evaluation.answers import HEADLINES, SHEETS, answer_of, levels
from training.objectives import frozen
from training.programs import predictions, specs


@dataclass(frozen=True, kw_only=True)
class EvaluateSpec(specs.Spec):
    """What to judge.

    Attributes:
        result: the folder to make. gold: the test.parquet of a frozen dataset.
        labels: ids of the schema; the order of the figures. field: of the schema; where it is none of a single
            label, its answers are judged.
        predictions: result folder of predict, for all rows of gold. baseline: the deployed model's, or None.
        seed: of the bootstraps.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    gold: str
    labels: list[str]
    predictions: str
    baseline: str | None = None
    field: dict[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SHEETS:
            specs.check_labels(self.labels)
        specs.check_range("seed", self.seed, 0, 2**63 - 1)

    @property
    def kind(self) -> str:
        return str(self.field.get("type", "classification"))


def work(data: dict[str, Any]) -> None:
    """The program. Cost O(n k) and a thousand resamples of n items."""
    with specs.clear_errors(data):
        spec = EvaluateSpec.from_json(data)
        program.progress(0, 1, "evaluating")
        figures = evaluate_answers(spec) if spec.kind in SHEETS else evaluate(spec)
        with program.result_folder(spec.result) as folder:
            (folder / "result.json").write_text(
                json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False)
            )
        program.progress(1, 1, "done")


def evaluate(spec: EvaluateSpec) -> dict[str, Any]:
    """The figures.

    A label of the gold or of a model that the schema does not list (it was added later, or taken out) is
    appended to `labels`: predicting it is right or wrong as for any other. A label that a model does not know
    it never predicts.

    Raises:
        ValueError: no test items, predictions that do not cover them, or a damaged folder.
    """
    rows, given = _gold(Path(spec.gold))
    folders = [Path(spec.predictions), *([Path(spec.baseline)] if spec.baseline else [])]
    models = [_predictions(folder, rows) for folder in folders]
    known = [*spec.labels, *given, *(label for _probs, names in models for label in names)]
    labels = list(dict.fromkeys(known))
    place = {label: i for i, label in enumerate(labels)}
    gold = np.array([place[label] for label in given], dtype=np.int64)
    aligned = [_aligned(probs, names, place) for probs, names in models]
    measured = [
        metrics.measure(probs, gold, tuple(labels), rng=np.random.default_rng([spec.seed, i]))
        for i, probs in enumerate(aligned)
    ]
    difference = None
    if len(aligned) == 2:
        new, deployed = (probs.argmax(axis=1) == gold for probs in aligned)
        rng = np.random.default_rng([spec.seed, 2])
        difference = asdict(compare.paired_bootstrap(new, deployed, rng=rng))
    figures = [one.to_json() for one in measured]
    for at, probs in enumerate(aligned):
        said = [labels[column] for column in probs.argmax(axis=1)]
        found = levels(spec.field, given, said)
        figures[at] |= _scores_json(found, np.random.default_rng([spec.seed, 3]), figures[at]["intervals"])
        figures[at]["levels"] = list(found)
    return {
        "spec_version": specs.SPEC_VERSION,
        "n": len(gold),
        "type": "classification",
        "headline": HEADLINES["classification"],
        "labels": labels,
        "model": figures[0],
        "baseline": figures[1] if len(figures) == 2 else None,
        "difference": difference,
    }


def evaluate_answers(spec: EvaluateSpec) -> dict[str, Any]:
    """The figures of a type whose answers are more than one label.

    Raises:
        ValueError: as `evaluate`; or predictions without answers.
    """
    split = frozen.read(Path(spec.gold).parent, Path(spec.gold).stem)
    if not len(split):
        raise ValueError(
            f"{spec.gold} has no items, expected labelled test items: label evaluation items first"
        )
    gold = [answer_of(spec.field, one) for one in split.first_examples()]
    folders = [Path(spec.predictions), *([Path(spec.baseline)] if spec.baseline else [])]
    sheets = [SHEETS[spec.kind](spec.field, gold, _answers(folder, split.rows)) for folder in folders]
    figures = []
    for sheet in sheets:
        own: dict[str, Any] = {"n": len(gold), "labels": sheet.labels, "intervals": {}}
        own |= _scores_json(sheet.scores, np.random.default_rng([spec.seed, 3]), own["intervals"])
        own |= {
            "per_class": [
                _class_json(*entry) for entry in zip(sheet.labels, sheet.counts.tolist(), strict=True)
            ],
            "tables": {name: table.tolist() for name, table in sheet.tables.items()},
            "points": sheet.points,
        }
        figures.append(own)
    headline = HEADLINES[spec.kind]
    difference = None
    if len(sheets) == 2:
        new, deployed = (sheet.scores[headline] for sheet in sheets)
        rng = np.random.default_rng([spec.seed, 2])
        difference = _no_nan(asdict(scores.difference(new, deployed, rng=rng)))
    return {
        "spec_version": specs.SPEC_VERSION,
        "n": len(gold),
        "type": spec.kind,
        "headline": headline,
        "labels": sheets[0].labels,
        "model": figures[0],
        "baseline": figures[1] if len(figures) == 2 else None,
        "difference": difference,
    }


def _no_nan(difference: dict[str, Any]) -> dict[str, Any] | None:
    """None for a difference that is not defined, as where no span is true or given."""
    return None if any(math.isnan(difference[name]) for name in ("value", "low", "high")) else difference


def _scores_json(
    found: Mapping[str, scores.Score], rng: np.random.Generator, intervals: dict[str, Any]
) -> dict[str, float | None]:
    """Values by name; their intervals are added to `intervals`. None stands for NaN."""
    values: dict[str, float | None] = {}
    for name, score in found.items():
        measured = scores.estimate(score, rng=rng)
        values[name], *interval = (
            None if math.isnan(number) else number for number in (measured.value, measured.low, measured.high)
        )
        intervals[name] = interval
    return values


def _class_json(label: str, counts: list[int]) -> dict[str, Any]:
    """Precision, recall and F1 of one label, from how often it was right, true and given."""
    right, true, given = counts
    precision, recall = (wilson(right, whole) if whole else None for whole in (given, true))
    return {
        "label": label,
        "precision": precision.value if precision else None,
        "recall": recall.value if recall else None,
        "f1": 2 * right / (true + given) if true + given else None,
        "intervals": {"recall": [recall.low, recall.high] if recall else [None, None]},
        "support": true,
        "predicted": given,
    }


def _answers(folder: Path, rows: npt.NDArray[np.int64]) -> list[Any]:
    """What a model answers to `rows`, in their order."""
    found = predictions.read_answers(folder)
    if found is None:
        raise ValueError(
            f"{folder} holds no answers, only probabilities: its model is of another type of label"
        )
    if missing := [row for row in rows.tolist() if row not in found]:
        raise ValueError(
            f"{folder} does not cover all {len(rows)} test items ({len(missing)} are missing): predict again"
        )
    return [found[row].value for row in rows.tolist()]


def _gold(path: Path) -> tuple[npt.NDArray[np.int64], list[str]]:
    table = pq.read_table(path, columns=["row", "label"])
    if not len(table):
        raise ValueError(f"{path} has no items, expected labelled test items: label evaluation items first")
    if table["row"].null_count or table["label"].null_count:
        raise ValueError(f"{path} has empty cells, expected a row and a label for each item")
    return table["row"].to_numpy().astype(np.int64), table["label"].to_pylist()


def _predictions(folder: Path, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Probabilities of `rows` in their order, and the model's labels."""
    try:
        labels: list[str] = json.loads((folder / "result.json").read_text())["labels"]
        probs = np.load(folder / "probs.npy", mmap_mode="r", allow_pickle=False)
        held = np.load(folder / "rows.npy", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} cannot be read as predictions ({error}): predict again") from error
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held[order], rows), max(len(held) - 1, 0))
    if not len(held) or (held[order][at] != rows).any():
        raise ValueError(f"{folder} does not cover all {len(rows)} test items: predict again")
    return np.asarray(probs[order[at]]), labels


def _aligned(
    probs: npt.NDArray[np.float32], names: list[str], place: dict[str, int]
) -> npt.NDArray[np.float32]:
    """The probabilities under the common labels; 0 where the model has no such label."""
    out = np.zeros((len(probs), len(place)), dtype=np.float32)
    out[:, [place[name] for name in names]] = probs
    return out


if __name__ == "__main__":
    program.main(work)
