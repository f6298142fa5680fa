"""Train a probe: a linear head on embeddings that were worked out before. No torch; can be called in process.

Result folder:
    model/probe.npz  plain arrays (see training.learning.probe)
    result.json      labels in the order of the outputs, temperature, validation figures, label counts
    spec.json        what was asked for
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs import program
from training.learning import calibration, columns, probe
from training.learning.columns import Shard
from training.objectives import classification
from training.objectives.frozen import Examples
from training.programs import specs


@dataclass(frozen=True, kw_only=True)
class ProbeSpec(specs.Spec):
    """What to train.

    Attributes:
        result: the folder to make. data: folder of a frozen dataset.
        labels: ids in the order of the outputs; all of the schema, seen in training or not.
        features: shards that hold the embeddings of all training and validation items.
        c: inverse strength of the regularisation; larger fits closer.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    data: str
    labels: list[str]
    features: list[Shard]
    c: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        specs.check_labels(self.labels)
        specs.check_range("c", self.c, 1e-9, 1e9)
        specs.check_range("seed", self.seed, 0, 2**31 - 1)


def work(data: dict[str, Any]) -> None:
    """The program. Cost O(iterations n d k); 500 items of 384 and 7 labels in well under 100 ms."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = ProbeSpec.from_json(data)
        program.progress(0, 2, "reading labels and embeddings")
        train = classification.read(Path(spec.data), "train", spec.labels).counted()
        classification.check(train)
        validation = classification.read(Path(spec.data), "validation", spec.labels)
        vectors = columns.gather(spec.features, train.rows)
        validation_vectors = columns.gather(spec.features, validation.rows)
        program.progress(1, 2, f"training on {len(train)} items")
        fitted = probe.fit(
            vectors, train.targets, len(spec.labels), c=spec.c, seed=spec.seed, weights=train.weights
        )
        fitted = probe.calibrate(fitted, validation_vectors, validation.targets)
        with program.result_folder(spec.result) as folder:
            (folder / "model").mkdir()
            probe.save(fitted, folder / "model")
            (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
            result = {
                "spec_version": specs.SPEC_VERSION,
                "learner": "probe",
                "labels": spec.labels,
                "temperature": fitted.temperature,
                "validation": _figures(fitted, validation_vectors, validation),
                "train_count": len(train),
                "label_counts": classification.counts(train, spec.labels),
                "seconds": round(time.monotonic() - started, 3),
            }
            (folder / "result.json").write_text(
                json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
            )
    program.progress(2, 2, "done")


def _figures(fitted: probe.Probe, vectors: Any, validation: Examples) -> dict[str, Any]:
    """How the validation items are met, after calibration."""
    if not len(validation):
        return {"n": 0}
    probs = fitted.probabilities(vectors)
    at = probs[np.arange(len(probs)), validation.targets]
    return {
        "n": len(validation),
        "accuracy": float((probs.argmax(axis=1) == validation.targets).mean()),
        "loss_calibrated": float(-np.log(np.maximum(at, 1e-30)).mean()),
        "ece_calibrated": calibration.ece(probs, validation.targets),
    }


if __name__ == "__main__":
    program.main(work)
