"""Judge a model's predictions on labelled test items, beside the deployed model's. numpy only; can be called
in
process.

Result folder:
    result.json  n, labels, model (see training.evaluation.metrics), baseline or null, difference or null
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from jobs import program
from training.evaluation import compare, metrics
from training.programs import specs


@dataclass(frozen=True, kw_only=True)
class EvaluateSpec(specs.Spec):
    """What to judge.

    Attributes:
        result: the folder to make. gold: parquet (row, label), other columns are ignored.
        labels: ids of the schema; the order of the figures.
        predictions: result folder of predict, for all rows of gold. baseline: the deployed model's, or None.
        seed: of the bootstraps.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    gold: str
    labels: list[str]
    predictions: str
    baseline: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        specs.check_labels(self.labels)
        specs.check_range("seed", self.seed, 0, 2**63 - 1)


def work(data: dict[str, Any]) -> None:
    """The program. Cost O(n k) and a thousand resamples of n items."""
    with specs.clear_errors(data):
        spec = EvaluateSpec.from_json(data)
        program.progress(0, 1, "evaluating")
        figures = evaluate(spec)
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
    return {
        "spec_version": specs.SPEC_VERSION,
        "n": len(gold),
        "labels": labels,
        "model": measured[0].to_json(),
        "baseline": measured[1].to_json() if len(measured) == 2 else None,
        "difference": difference,
    }


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
