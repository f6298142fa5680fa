"""Made-up answers for tests around unsure prompts, with the face of the generate program: what an even row asks
is known; to an odd one the answers differ, the more the hotter."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs import program
from selection.strategies.sampling import answers


def work(spec: dict[str, Any]) -> None:
    rows = pq.read_table(spec["prompts"])["row"].to_pylist()
    told: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    for row in rows:
        for temperature in spec["temperatures"]:
            kinds = 1 if row % 2 == 0 else max(2, round(spec["samples"] * temperature))
            meanings = np.arange(spec["samples"]) % kinds
            texts = [f"answer {meaning} to {row}" for meaning in meanings]
            measure = answers.measure(texts, meanings, np.full(len(texts), -0.5))
            measured.append({"row": row, "temperature": temperature, **asdict(measure)})
            for text, meaning in zip(texts, meanings.tolist(), strict=True):
                told.append({"row": row, "temperature": temperature, "answer": text, "meaning": meaning})
    with program.result_folder(spec["result"]) as folder:
        pq.write_table(pa.Table.from_pylist(told), folder / "answers.parquet")
        pq.write_table(pa.Table.from_pylist(measured), folder / "measures.parquet")
        inside = [{"row": row, "dispersion": [0.2, row / 10], "depth": row, "layers": 4} for row in rows]
        pq.write_table(pa.Table.from_pylist(inside), folder / "inside.parquet")
        summary = {"prompts": len(rows), "answers": len(told), "tokens": 7 * len(told), "seconds": 1.0}
        (folder / "result.json").write_text(json.dumps({"spec_version": 1, **summary}))


if __name__ == "__main__":
    program.main(work)
