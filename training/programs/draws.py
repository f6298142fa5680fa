"""Draws of a fine-tuned model with dropout left on (MC dropout): how far its mind is made up about each item.

Each draw drops other units, so each is another, thinner model; where they agree, more labels of the kind would
change little. (Gal & Ghahramani 2016.)

Result folder:
    draws.npy       (n, s * k) float32: s calibrated distributions over k labels, one behind the other
    rows.npy        (n,) int64 item rows, as they were given
    result.json     labels, counts, pace
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs import program
from training.learning import columns
from training.learning.calibration import calibrated
from training.programs import specs
from training.programs.predict import READ_ROWS, read_model, read_rows

FILE = "draws.npy"
MOST_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class DrawSpec(specs.Spec):
    """What to draw.

    Attributes:
        result: the folder to make. model: result folder of a fine-tune that answers with one label.
        texts: parquet (row, text). draws: s. dropout: the share of units that a draw leaves out.
        batch_tokens: padded tokens that go through the model at once.
        threads: torch threads; None leaves them.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    model: str
    texts: str
    draws: int = 8
    dropout: float = 0.1
    seed: int = 0
    batch_tokens: int = 4096
    threads: int | None = None

    def __post_init__(self) -> None:
        specs.check_range("draws", self.draws, 2, MOST_DRAWS)
        specs.check_range("dropout", self.dropout, 0.01, 0.9)
        specs.check_range("batch_tokens", self.batch_tokens, 1, 2**31 - 1)
        specs.check_range("threads", self.threads or 1, 1, 1024)


def work(data: dict[str, Any]) -> None:
    """The program: s forward passes over all tokens. The same spec gives the same draws."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = DrawSpec.from_json(data)
        model = read_model(Path(spec.model))
        kind = (model.get("field") or {"type": "classification"})["type"]
        if model["learner"] != "finetune" or kind != "classification":
            raise ValueError(
                f"{spec.model} is a {model['learner']} of type {kind}: only a fine-tuned model that answers "
                "with one label is drawn from"
            )
        with program.result_folder(spec.result) as folder:
            count = _draw(spec, model, folder)
            result = {
                "spec_version": specs.SPEC_VERSION,
                "labels": model["labels"],
                "draws": spec.draws,
                "n": count,
                "seconds": round(time.monotonic() - started, 3),
            }
            (folder / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))


def _draw(spec: DrawSpec, model: dict[str, Any], folder: Path) -> int:
    import torch

    from training.learning import text_model

    text_model.be_quiet()
    text_model.set_threads(spec.threads)
    torch.manual_seed(spec.seed)
    path, k = Path(spec.model) / "model", len(model["labels"])
    classifier = text_model.TextClassifier.load(path, k, dropout=spec.dropout)
    classifier = classifier.train().to(text_model.device())
    tokeniser = text_model.Tokeniser.load(path, int(model["max_length"]))
    fitted = model.get("calibration") or {"temperature": model["temperature"]}
    rows = read_rows(Path(spec.texts))
    done, total = 0, len(rows) * spec.draws
    with columns.NpyWriter(folder / FILE, (len(rows), spec.draws * k)) as out:
        for batch in pq.ParquetFile(spec.texts).iter_batches(batch_size=READ_ROWS, columns=["text"]):
            tokens = tokeniser(batch.column("text").to_pylist())
            block = np.empty((len(tokens), spec.draws, k), dtype=np.float32)
            for number in range(spec.draws):
                for at, (logits,) in text_model.infer(
                    lambda ids, mask: (classifier(ids, mask),),
                    tokens,
                    pad=tokeniser.pad,
                    device=text_model.device(),
                    batch_tokens=spec.batch_tokens,
                    on_progress=specs.Progress(done, total, "drawing"),
                ):
                    block[at, number] = calibrated(logits, float(fitted["temperature"]))
                done += len(tokens)
            out.append(block.reshape(len(tokens), -1))
    np.save(folder / "rows.npy", rows)
    return len(rows)


if __name__ == "__main__":
    program.main(work)
