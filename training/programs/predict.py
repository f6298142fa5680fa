"""Calibrated probabilities of a model, a fine-tuned one or a probe, for many items.

Torch is loaded for a fine-tuned model only; a probe can be asked in process.

Result folder:
    probs.npy       (n, w) float32, columns in the order of the model's own labels; rows sum to 1 where the
                    answer is one of them, and dimension by dimension for a rating
    tokens.npy      in place of it where words are judged: (m, w) float16 of all words, item after item;
                    starts.npy: (n + 1,) int64, where each item's begin, and last where all end
    answers.parquet row, answer and scores (JSON), confidence; where an answer is more than the likeliest column
    embeddings.npy  (n, d) float32 unit vectors; of a fine-tuned model only
    rows.npy        (n,) int64 item rows, as they were given
    result.json     labels, counts, pace
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs import program
from training.learning import columns, precision, probe
from training.learning.columns import Rows, Shard
from training.learning.precision import Asked
from training.objectives.registry import task_of_model
from training.programs import predictions, specs

READ_ROWS = 20_000  # texts held at once


@dataclass(frozen=True, kw_only=True)
class PredictSpec(specs.Spec):
    """What to predict.

    Attributes:
        result: the folder to make. model: result folder of a fine-tune or a probe.
        texts: parquet (row, text), other columns are ignored; for a fine-tuned model.
        features: shards of embeddings, and rows: int64 .npy of the rows wanted; for a probe.
        batch_tokens: padded tokens that go through the model at once.
        precision: "bf16" is twice as fast where the hardware can, at about three digits.
        threads: torch threads; None leaves them.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    model: str
    texts: str = ""
    features: list[Shard] = field(default_factory=list)
    rows: str = ""
    batch_tokens: int = 4096
    precision: Asked = "fp32"
    threads: int | None = None

    def __post_init__(self) -> None:
        specs.check_range("batch_tokens", self.batch_tokens, 1, 2**31 - 1)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        precision.check(self.precision)
        if not self.texts and not self.rows:
            raise ValueError("found neither texts nor rows, expected one of them: say what to predict")


def work(data: dict[str, Any]) -> None:
    """The program. A probe costs O(n d k); a fine-tuned model a forward pass over all tokens."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = PredictSpec.from_json(data)
        model = read_model(Path(spec.model))
        with program.result_folder(spec.result) as folder:
            count, computed = _predict(spec, model, folder)
            seconds = time.monotonic() - started
            result = {
                "spec_version": specs.SPEC_VERSION,
                "labels": model["labels"],
                "learner": model["learner"],
                "n": count,
                "seconds": round(seconds, 3),
                "computed_s": round(computed, 3),
                "items_per_s": round(count / seconds, 1),
            }
            (folder / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))


def read_model(folder: Path) -> dict[str, Any]:
    """result.json of a trained model.

    Raises:
        ValueError: it is missing, damaged, or of another kind.
    """
    try:
        model = json.loads((folder / "result.json").read_text())
        labels, learner = model["labels"], model["learner"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} cannot be read as a model ({type(error).__name__}: {error}): train it again"
        ) from error
    if learner not in ("finetune", "probe") or not labels:
        raise ValueError(f"{folder} is a model of kind {learner!r}, expected a finetune or a probe")
    found: dict[str, Any] = model
    return found


def _predict(spec: PredictSpec, model: dict[str, Any], folder: Path) -> tuple[int, float]:
    """How many items, and the seconds that they took: reading the model is none of them."""
    if model["learner"] == "probe":
        return _predict_probe(spec, folder)
    if not spec.texts:
        raise ValueError("a fine-tuned model reads texts, and none were given: give a parquet file of them")
    return _predict_finetune(spec, model, folder)


def _predict_probe(spec: PredictSpec, folder: Path) -> tuple[int, float]:
    fitted = probe.load(Path(spec.model) / "model")
    rows = read_rows(Path(spec.rows or spec.texts))
    program.progress(0, len(rows), f"predicting {len(rows)} items")
    begun = time.monotonic()
    with columns.NpyWriter(folder / "probs.npy", (len(rows), fitted.k)) as probs:
        for start in range(0, len(rows), READ_ROWS):
            probs.append(fitted.probabilities(columns.gather(spec.features, rows[start : start + READ_ROWS])))
    computed = time.monotonic() - begun
    np.save(folder / "rows.npy", rows)
    program.progress(len(rows), len(rows), "done")
    return len(rows), computed


def _predict_finetune(spec: PredictSpec, model: dict[str, Any], folder: Path) -> tuple[int, float]:
    from training.learning import packed, text_model  # torch: only here

    text_model.be_quiet()
    text_model.set_threads(spec.threads)
    path = Path(spec.model) / "model"
    task = task_of_model(model)
    classifier = text_model.TextClassifier.load(path, task.outputs, per_token=task.per_token)
    classifier = classifier.eval().to(text_model.device())
    tokeniser = text_model.Tokeniser.load(path, int(model["max_length"]))
    chosen = precision.choose(spec.precision, text_model.device())
    classifier = packed.scorer(classifier, chosen.precision)
    fitted = model.get("calibration") or {"temperature": model["temperature"]}
    rows = read_rows(Path(spec.texts))
    width = classifier.encoder.config.hidden_size
    start, begun = 0, time.monotonic()
    with (
        predictions.writer(task, folder, rows) as written,
        columns.NpyWriter(folder / "embeddings.npy", (len(rows), width)) as vectors,
    ):
        for batch in pq.ParquetFile(spec.texts).iter_batches(batch_size=READ_ROWS, columns=["text"]):
            encoded = task.encode(tokeniser, batch.column("text").to_pylist())
            outputs: Any = [None] * batch.num_rows
            if not task.per_token:
                outputs = np.empty((batch.num_rows, task.outputs), dtype=np.float32)
            units = np.empty((batch.num_rows, width), dtype=np.float32)
            for at, (found, some_units) in text_model.infer(
                classifier.logits_and_vectors,
                encoded.tokens,
                pad=tokeniser.pad,
                device=text_model.device(),
                batch_tokens=spec.batch_tokens,
                on_progress=specs.Progress(start, len(rows), "predicting"),
            ):
                units[at] = some_units
                if task.per_token:
                    for item, one in zip(at, found, strict=True):
                        outputs[item] = one[: len(encoded.tokens[item])]
                else:
                    outputs[at] = found
            written.append(outputs, encoded, fitted)
            vectors.append(units)
            start += batch.num_rows
    computed = time.monotonic() - begun
    np.save(folder / "rows.npy", rows)
    return len(rows), computed


def read_rows(path: Path) -> Rows:
    """The item rows of an int64 .npy, or of a parquet file's column row.

    Raises:
        ValueError: the file holds no such thing, or an empty cell.
    """
    if path.suffix == ".npy":
        rows = np.load(path, allow_pickle=False)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ValueError(f"{path} is {rows.dtype} {rows.shape}, expected whole numbers (n,)")
        return rows.astype(np.int64)
    held = pq.ParquetFile(path).schema_arrow.names
    if lacking := {"row", "text"} - set(held):
        raise ValueError(f"{path} has no column {', '.join(sorted(lacking))}, expected row and text")
    table = pq.read_table(path, columns=["row"])
    if table["row"].null_count:
        raise ValueError(f"{path} has empty cells in its column row")
    return table["row"].to_numpy().astype(np.int64)


if __name__ == "__main__":
    program.main(work)
