"""From items to the tensors of a step: one rank's share of each global batch, prepared here or beside.

Processes are spawned, never forked: a fork of a process that has used torch hangs for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from training.learning.batching import share_of
from training.learning.text_model import Tokens, padded
from training.objectives.task import Task

Entry = tuple[int, float]  # item, multiplier of its loss
Row = tuple[int, list[int], Any, float]  # item, its tokens, its target, multiplier of its loss


@dataclass(frozen=True)
class Loading:
    """`workers`: processes that prepare batches beside the training, 0 for none. `prefetch`: batches that each
    of them keeps ready."""

    workers: int = 0
    prefetch: int = 2


class RankBatches(Sampler[list[Entry]]):
    """One rank's share of each global batch."""

    def __init__(
        self,
        batches: Sequence[npt.NDArray[np.int64]],
        weights: npt.NDArray[np.float64],
        rank: int,
        world: int,
    ) -> None:
        self.batches, self.weights, self.rank, self.world = batches, weights, rank, world

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Entry]]:
        for batch in self.batches:
            items, scales = share_of(batch, self.weights, self.rank, self.world)
            yield list(zip(items.tolist(), scales.tolist(), strict=True))


class TokenData(Dataset[Row]):
    """Tokens and target of an item, by (item, multiplier)."""

    def __init__(self, tokens: Tokens, targets: Any) -> None:
        self.tokens, self.targets = tokens, targets

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, entry: Entry) -> Row:
        item, scale = entry
        return item, self.tokens[item], self.targets[item], scale


@dataclass(frozen=True)
class Collate:
    """Rows to a batch: ids and mask (b, t), targets as the task has them, items (b,), scales (b,)."""

    task: Task
    pad: int

    def __call__(self, entries: list[Row]) -> dict[str, Tensor]:
        items, tokens, targets, scales = zip(*entries, strict=True)
        ids, mask = padded(tokens, self.pad)
        return {
            "ids": ids,
            "mask": mask,
            "targets": self.task.collate(targets),
            "items": torch.tensor(items),
            "scales": torch.tensor(scales),
        }


def loader(data: TokenData, sampler: RankBatches, collate: Collate, loading: Loading) -> DataLoader[Any]:
    """Batches in the sampler's order."""
    beside: dict[str, Any] = {}
    if loading.workers:
        beside = {"prefetch_factor": loading.prefetch, "multiprocessing_context": "spawn"}
    return DataLoader(data, batch_sampler=sampler, collate_fn=collate, num_workers=loading.workers, **beside)
