"""Examples as TRL's collators read them, and each rank's share of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Sampler

from training.learning.batching import Ints
from training.learning.dialogues import Tokenised
from training.objectives.language import REWARD, SFT

IGNORED = -100
Row = dict[str, Any]


def rows_of(objective: str, examples: Sequence[Tokenised]) -> list[Row]:
    """The examples as TRL's collators read them."""
    return [_row(objective, example) for example in examples]


def _row(objective: str, example: Tokenised) -> Row:
    if objective == SFT:
        (one,) = example.replies
        return {"input_ids": one.ids, "labels": [IGNORED] * one.prompt + one.ids[one.prompt :]}
    chosen, rejected = example.replies
    if objective == REWARD:
        return {"chosen_ids": chosen.ids, "rejected_ids": rejected.ids}
    return {
        "prompt_ids": chosen.ids[: chosen.prompt],
        "chosen_ids": chosen.ids[chosen.prompt :],
        "rejected_ids": rejected.ids[rejected.prompt :],
    }


class Shares(Sampler[list[tuple[int, float]]]):
    """One rank's share of each batch: (example, factor), the factor being world * share / batch.

    DDP averages what ranks worked out, each a mean over its own share; with the factor that is the mean over
    the batch. A rank without any takes one example at factor 0, since all must take part.
    """

    def __init__(self, batches: Sequence[Ints], rank: int, world: int) -> None:
        self.batches, self.rank, self.world = batches, rank, world

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Any:
        for batch in self.batches:
            mine = batch[self.rank :: self.world]
            factor = self.world * len(mine) / len(batch)
            yield [(int(i), factor) for i in (mine if len(mine) else batch[:1])]


class Rows:
    """The examples by (example, factor): with both."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, entry: tuple[int, float]) -> tuple[Row, float, int]:
        at, factor = entry
        return self.rows[at], factor, at
