"""Writing what a fine-tuned model says of many items, block by block: probabilities, and answers where an answer
is more than the likeliest column."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.learning.columns import NpyWriter, Rows
from training.objectives.task import Answer, Calibration, Encoded, Task

PROBS, TOKENS, STARTS, ANSWERS = "probs.npy", "tokens.npy", "starts.npy", "answers.parquet"
TABLE = pa.schema(
    [
        ("row", pa.int64()),
        ("answer", pa.string()),
        ("confidence", pa.float32()),
        ("scores", pa.string()),
    ]
)


class Writer:
    """Takes the outputs of one block of items after the other, in the order of `rows`."""

    def __init__(self, task: Task, folder: Path, rows: Rows) -> None:
        self.task, self.folder, self.rows = task, folder, rows
        self.done = 0
        self.words: list[Any] = []
        self.lengths: list[int] = []
        self.probs: NpyWriter | None = None
        if not task.per_token:
            self.probs = NpyWriter(folder / PROBS, (len(rows), len(task.columns)))
        self.answers = None
        if task.writes_answers:
            self.answers = pq.ParquetWriter(folder / ANSWERS, TABLE)

    def append(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> None:
        found = self.task.probabilities(outputs, encoded, calibration)
        if self.probs is not None:
            self.probs.append(found)
        else:
            self.words += [one.astype(np.float16) for one in found]
            self.lengths += [len(one) for one in found]
        if self.answers is not None:
            given = self.task.answers(found, encoded, calibration)
            self.answers.write_table(_table(self.rows[self.done : self.done + len(given)], given))
            self.done += len(given)

    def close(self, *, is_whole: bool) -> None:
        if self.answers is not None:
            self.answers.close()
        if self.probs is not None:
            self.probs.__exit__(None if is_whole else RuntimeError)
        elif is_whole:
            width = (0, len(self.task.columns))
            np.save(self.folder / TOKENS, np.concatenate([np.empty(width, dtype=np.float16), *self.words]))
            np.save(self.folder / STARTS, np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64))


@contextmanager
def writer(task: Task, folder: Path, rows: Rows) -> Iterator[Writer]:
    """A `Writer` that closes its files; they are whole where nothing was raised inside."""
    made = Writer(task, folder, rows)
    is_whole = False
    try:
        yield made
        is_whole = True
    finally:
        made.close(is_whole=is_whole)


def _table(rows: Rows, answers: list[Answer]) -> pa.Table:
    columns = [
        rows,
        [json.dumps(one.value, ensure_ascii=False) for one in answers],
        [one.confidence for one in answers],
        [json.dumps(one.scores) for one in answers],
    ]
    return pa.table(columns, schema=TABLE)


def read_answers(folder: Path, wanted: Collection[int] | None = None) -> dict[int, Answer] | None:
    """Row -> answer, of a result folder of predict, of `wanted` rows or all; None where its answers are the
    likeliest columns."""
    path = folder / ANSWERS
    if not path.is_file():
        return None
    table = pq.read_table(path)
    if wanted is not None:
        table = table.filter(pc.is_in(table["row"], value_set=pa.array(sorted(wanted), pa.int64())))
    return {
        row: Answer(value=json.loads(answer), confidence=confidence, scores=json.loads(scores))
        for row, answer, confidence, scores in zip(
            *(table[name].to_pylist() for name in TABLE.names), strict=True
        )
    }
