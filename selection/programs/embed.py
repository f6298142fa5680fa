"""Embed texts with a frozen encoder: one shard of an embedding column.

Result folder:
    embeddings.npy  (n, d) float32 unit vectors
    rows.npy        (n,) int64 item rows, as they were given
    result.json     encoder's key, counts, pace
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
from training.learning.columns import NpyWriter
from training.learning.encoder import BATCH_TOKENS, LAST, Encoder, encoder_key, layers_up_to
from training.programs import specs
from training.programs.predict import READ_ROWS, read_rows


@dataclass(frozen=True, kw_only=True)
class EmbedSpec(specs.Spec):
    """What to embed.

    Attributes:
        result: the folder to make. texts: parquet (row, text). encoder: folder of the encoder.
        layer: "last" or "middle", whose states are averaged.
        batch_tokens: padded tokens that go through the encoder at once.
        threads: torch threads; None leaves them.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    texts: str
    encoder: str
    layer: str = LAST
    batch_tokens: int = BATCH_TOKENS
    threads: int | None = None

    def __post_init__(self) -> None:
        specs.check_range("batch_tokens", self.batch_tokens, 1, 2**31 - 1)
        layers_up_to(self.layer, 1)
        specs.check_range("threads", self.threads or 1, 1, 1024)


def work(data: dict[str, Any]) -> None:
    """The program. Memory stays flat: texts are read, embedded and written a block at a time."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = EmbedSpec.from_json(data)
        rows = read_rows(Path(spec.texts))
        program.progress(0, len(rows), "loading the encoder")
        model = Encoder.load(spec.encoder, spec.threads, layer=spec.layer)
        with program.result_folder(spec.result) as folder:
            _embed(spec, model, folder, len(rows))
            np.save(folder / "rows.npy", rows)
            seconds = time.monotonic() - started
            result = {
                "spec_version": specs.SPEC_VERSION,
                "encoder": encoder_key(Path(spec.encoder), spec.layer),
                "layer": spec.layer,
                "width": model.width,
                "n": len(rows),
                "seconds": round(seconds, 3),
                "items_per_s": round(len(rows) / seconds, 1),
            }
            (folder / "result.json").write_text(json.dumps(result, indent=1))


def _embed(spec: EmbedSpec, model: Encoder, folder: Path, count: int) -> None:
    start = 0
    with NpyWriter(folder / "embeddings.npy", (count, model.width)) as out:
        for batch in pq.ParquetFile(spec.texts).iter_batches(batch_size=READ_ROWS, columns=["text"]):
            texts = batch.column("text").to_pylist()
            tell = specs.Progress(start, count, "embedding")
            out.append(model.encode(texts, batch_tokens=spec.batch_tokens, on_progress=tell))
            start += len(texts)


if __name__ == "__main__":
    program.main(work)
