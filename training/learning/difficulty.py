"""How hard items are, for a curriculum: a column of the dataset, else what a model says that did not learn from
them. Of labels that is the loss of probes, else the length; of replies to a dialogue what the untouched base
thinks of them.

Shapes: n items, t tokens, d width, k outputs of the head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from training.learning.dialogues import Tokenised
from training.objectives.classification import probe_head
from training.objectives.frozen import Examples
from training.objectives.spans import IGNORED
from training.objectives.task import Task

Floats = npt.NDArray[np.float64]
States = Callable[[], Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]]
Source = Literal["column", "cross-validated loss", "length", "base loss", "base preference"]

COLUMN = "difficulty"
FOLDS = 5
MOST_TOKENS = 10_000  # that probes of tokens learn from, drawn from all items alike
_LEAST = 2 * FOLDS  # items to cross-validate on


def measured(
    path: Path,
    train: Examples,
    targets: Any,
    lengths: list[int],
    task: Task,
    vectors: Callable[[], npt.NDArray[np.float32]],
    states: States,
    seed: int,
) -> tuple[Floats, Source]:
    """(n,) difficulty of the training items, higher is harder, and where it comes from.

    Args:
        path: train.parquet of the frozen dataset; its column `difficulty` counts if every item has a number
            there, for instance the loss of a model that did not learn from the item.
        targets: what the task's losses read. lengths: (n,) tokens.
        vectors: makes (n, d) vectors of the texts; called where they are needed.
        states: makes those of their tokens, see `Encoder.states`; called where the task is one of tokens.

    Raises:
        ValueError: the column is there, but lacks numbers.
    """
    if (column := from_column(path, train.rows)) is not None:
        return column, "column"
    if len(train) >= _LEAST:
        if task.per_token:
            losses = of_tokens(states, train, targets, task, seed)
        else:
            losses = cross_validated(vectors(), train, targets, task, seed)
        if losses is not None:
            return losses, "cross-validated loss"
    return np.asarray(lengths, dtype=np.float64), "length"


def from_column(path: Path, rows: npt.NDArray[np.int64]) -> Floats | None:
    """The column `difficulty` of these rows; None where the file has no such column.

    Raises:
        ValueError: one of the rows has no finite number there.
    """
    if COLUMN not in pq.ParquetFile(path).schema_arrow.names:
        return None
    table = pq.read_table(path, columns=["row", COLUMN])
    held = dict(zip(table["row"].to_pylist(), table[COLUMN].to_pylist(), strict=True))
    found = np.array([np.nan if (value := held.get(row)) is None else value for row in rows.tolist()])
    if lacking := int((~np.isfinite(found)).sum()):
        raise ValueError(
            f"{path} has no number in its column {COLUMN} for {lacking} of {len(rows)} training items, expected "
            "one for each: fill the column, or take it out"
        )
    return found


def of_replies(examples: Sequence[Tokenised], sums: Floats) -> tuple[Floats, Source]:
    """(n,) difficulty of responses, or of pairs, by the base that they are to teach, and its name.

    * A response: the mean negative log likelihood of its tokens. The loss of a model as the measure of what is
      easy for it is that of self-paced learning (Kumar et al. 2010); of instructions with their responses it is
      used as perplexity (Li et al. 2025, "Instruction Tuning LLMs with Competence-Aware Curriculum Learning").
    * A pair: the mean log likelihood of a token of the rejected reply, minus that of the chosen one. Hard is a
      pair of which the base prefers the worse reply. Pairs come from clear to unclear in Curry-DPO (Pattnaik
      et al. 2024); the margin that DPO learns begins at zero for all, so the base's own preference stands in,
      by the token, for else the shorter reply would win (Meng et al. 2024, "SimPO").

    Args:
        sums: (r,) log likelihoods of all replies (nats), those of one example after the other's.
    """
    replies = [reply for example in examples for reply in example.replies]
    means = sums / np.array([len(reply) - reply.prompt for reply in replies], dtype=np.float64)
    if len(replies) == len(examples):
        return -means, "base loss"
    chosen, rejected = means.reshape(-1, 2).T
    return rejected - chosen, "base preference"


def cross_validated(
    vectors: npt.NDArray[np.float32], train: Examples, targets: Any, task: Task, seed: int
) -> Floats | None:
    """(n,) loss of each item under a probe that was fitted on the other folds; None where no probe can be
    fitted, as with too few items of a label. Cost of `FOLDS` probes.
    """
    import torch

    folds = _folds(len(train), seed)
    found = np.empty(len(train))
    for number in range(FOLDS):
        fold, rest = np.flatnonzero(folds == number), np.flatnonzero(folds != number)
        start = task.head_start(vectors[rest], train.taken(rest), seed)
        if start is None:
            return None
        weight, bias = start
        outputs = torch.from_numpy((vectors[fold] @ weight.T + bias).astype(np.float32))
        losses = task.losses(outputs, task.collate([targets[at] for at in fold]))
        found[fold] = losses.numpy()
    return found


def of_tokens(states: States, train: Examples, targets: Any, task: Task, seed: int) -> Floats | None:
    """(n,) mean loss of each item's tokens under a probe that was fitted on tokens of the other folds' items;
    None where no probe can be fitted, as where all tags are alike.

    Cost of reading the texts twice and of `FOLDS` probes: once to gather the tokens that probes learn from, once
    for the losses, so that the states of all tokens are never held together.
    """
    import torch

    folds = _folds(len(train), seed)
    vectors, tags, owners = _gathered(states, targets, seed)
    heads = []
    for number in range(FOLDS):
        rest = np.flatnonzero(folds[owners] != number)
        head = probe_head(vectors[rest], tags[rest], task.outputs, train.weights[owners[rest]], seed)
        if head is None:
            return None
        heads.append(head)
    found = np.empty(len(train))
    for at, values in states():
        for item, rows in zip(at.tolist(), values, strict=True):
            weight, bias = heads[folds[item]]
            outputs = torch.from_numpy(_units(rows[: len(targets[item])]) @ weight.T + bias)
            found[item] = float(task.losses(outputs[None], task.collate([targets[item]]))[0])
    return found


def _folds(count: int, seed: int) -> npt.NDArray[np.int64]:
    """(n,) the fold of each item."""
    found = np.empty(count, dtype=np.int64)
    found[np.random.default_rng([seed, 14]).permutation(count)] = np.arange(count) % FOLDS
    return found


def _gathered(
    states: States, targets: Any, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """At most `MOST_TOKENS` of the tokens that bear a tag: unit vectors (m, d), tags (m,), items (m,)."""
    starts = np.cumsum([0, *(len(row) for row in targets)])
    bearing = np.flatnonzero(np.concatenate(list(targets)) != IGNORED)
    if len(bearing) > MOST_TOKENS:
        bearing = np.random.default_rng([seed, 15]).choice(bearing, size=MOST_TOKENS, replace=False)
    is_kept = np.zeros(starts[-1], dtype=bool)
    is_kept[bearing] = True
    vectors, tags, owners = [], [], []
    for at, values in states():
        for item, rows in zip(at.tolist(), values, strict=True):
            kept = np.flatnonzero(is_kept[starts[item] : starts[item + 1]])
            vectors.append(_units(rows[kept]))
            tags.append(targets[item][kept])
            owners.append(np.full(len(kept), item))
    return np.concatenate(vectors), np.concatenate(tags), np.concatenate(owners)


def _units(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows of length 1, as the vectors of texts are, so that a probe's regularisation means the same."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
