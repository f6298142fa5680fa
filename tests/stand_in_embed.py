"""Quick embeddings for tests around the encoder: hashed words, with the face of the embed program."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jobs import program

WIDTH = 64


def work(spec: dict[str, Any]) -> None:
    table = pq.read_table(spec["texts"], columns=["row", "text"])
    vectors = np.full((len(table), WIDTH), 1e-3, dtype=np.float32)
    for number, text in enumerate(table["text"].to_pylist()):
        for word in text.lower().split():
            vectors[number, zlib.crc32(word.encode()) % WIDTH] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with program.result_folder(spec["result"]) as folder:
        np.save(folder / "embeddings.npy", vectors)
        np.save(folder / "rows.npy", table["row"].to_numpy().astype(np.int64))
        (folder / "result.json").write_text(json.dumps({"spec_version": 1, "width": WIDTH}))


if __name__ == "__main__":
    program.main(work)
