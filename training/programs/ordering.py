"""The global batches of a run: a plain schedule, or a curriculum over the items' difficulty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from training.distributed import communicate
from training.learning.batching import Ints, schedule
from training.learning.curriculum import Batches, Floats, Forgetting

if TYPE_CHECKING:
    from training.programs.finetune_spec import FinetuneSpec
    from training.programs.tune_spec import TuneSpec

History = list[dict[str, float]]


@dataclass(frozen=True)
class Order:
    """How the items of a run come in.

    Attributes:
        lengths: (n,) tokens of each.
        difficulty: (n,), the same on all ranks; None where there is no curriculum. source: what it is by.
        weights: how often each item comes against the others, where losses cannot be weighted; None: all alike.
    """

    spec: FinetuneSpec | TuneSpec
    lengths: list[int]
    difficulty: Floats | None = None
    source: str = ""
    weights: Sequence[float] | None = None

    def batches(self, positions: Ints, history: Callable[[], History]) -> Sequence[Ints]:
        """One global batch a step.

        Args:
            positions: which batch of the endless sequence each step takes.
            history: what the run has recorded so far; asked by an adaptive curriculum while it goes on.
        """
        spec = self.spec
        if self.difficulty is None:
            found = schedule(
                self.lengths,
                batch_size=spec.batch_size,
                steps=int(positions[-1]) + 1,
                seed=spec.seed,
                weights=self.weights,
            )
            return [found[at] for at in positions]
        return Batches(
            spec.curriculum,  # type: ignore[arg-type]  # checked by the spec
            self.difficulty,
            self.lengths,
            batch_size=spec.batch_size,
            steps=len(positions),  # of a run that leaves batches out as of one that does not: the same order
            seed=spec.seed,
            positions=positions,
            progress=lambda until: recorded([one for one in history() if one["step"] <= until]),
            weights=self.weights,
        )

    def figures(self, batches: Sequence[Ints], forgetting: Forgetting | None) -> dict[str, Any]:
        """For result.json; nothing where there is no curriculum. Forgetting is what this rank has seen since
        the run was last begun or taken up; left out where it means nothing."""
        if not isinstance(batches, Batches):
            return {}
        if not batches.competences:  # taken up after its last step, it has asked for none
            _last = batches[-1]
        found: dict[str, Any] = {
            "name": self.spec.curriculum,
            "difficulty": self.source,
            "competences": [round(level, 4) for level in batches.competences],
            "block": batches.block,
        }
        if forgetting is not None:
            met, once_right, forgotten = forgetting.counts().astype(int).tolist()
            found |= {"met": met, "once_right": once_right, "forgotten": forgotten}
        return {"curriculum": found}


def shared(difficulty: Floats, device: torch.device) -> Floats:
    """Rank 0's difficulties, on every rank: those that others worked out may differ in their last digits."""
    values = difficulty if communicate.rank() == 0 else np.zeros(len(difficulty))
    return communicate.summed(values.astype(np.float32), device).astype(np.float64)


def recorded(history: History) -> list[tuple[int, float]]:
    """(step, loss) of a run so far: on validation items where it watches some, else on training items."""
    for name in ("eval_loss", "loss"):
        if found := [(int(entry["step"]), entry[name]) for entry in history if name in entry]:
            return found
    return []
