"""The global batches of a fine-tune: a plain schedule, or a curriculum over the items' difficulty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs import program
from training.distributed import communicate
from training.learning import difficulty
from training.learning.batching import Ints, schedule
from training.learning.curriculum import Batches, Forgetting
from training.learning.encoder import Encoder
from training.learning.text_model import Tokens
from training.objectives.frozen import Examples
from training.programs.finetune_spec import FinetuneSpec

History = list[dict[str, float]]


@dataclass(frozen=True)
class Order:
    """How the items of a run come in. `difficulty` is None where there is no curriculum."""

    spec: FinetuneSpec
    lengths: list[int]
    difficulty: difficulty.Floats | None = None
    source: str = ""

    @classmethod
    def of(
        cls, spec: FinetuneSpec, train: Examples, targets: Any, tokens: Tokens, device: torch.device
    ) -> Order:
        """Measures the difficulty where the spec has a curriculum; rank 0 does, and tells the others.

        Args:
            tokens: of the training items, in the tokenizer's numbers.
        """
        lengths = [len(row) for row in tokens]
        if spec.curriculum == "none":
            return cls(spec, lengths)

        def vectors() -> Any:
            program.progress(0, 1, f"reading {len(train)} texts for their difficulty")
            return Encoder.load(spec.base_model).encode(train.texts)

        def states() -> Any:
            program.progress(0, 1, f"reading the words of {len(train)} texts for their difficulty")
            return Encoder.load(spec.base_model).states(tokens)

        values, source = np.zeros(len(train)), ""
        if communicate.rank() == 0:
            path = Path(spec.data) / "train.parquet"
            values, source = difficulty.measured(
                path, train, targets, lengths, spec.task, vectors, states, spec.seed
            )
            program.log(f"curriculum {spec.curriculum}: difficulty by {source}")
        shared = communicate.summed(values.astype(np.float32), device).astype(np.float64)
        return cls(spec, lengths, shared, source)

    def batches(self, positions: Ints, history: Callable[[], History]) -> Sequence[Ints]:
        """One global batch a step.

        Args:
            positions: which batch of the endless sequence each step takes.
            history: what the run has recorded so far; asked by an adaptive curriculum while it goes on.
        """
        spec, steps = self.spec, int(positions[-1]) + 1
        if self.difficulty is None:
            found = schedule(self.lengths, batch_size=spec.batch_size, steps=steps, seed=spec.seed)
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
        )

    def figures(self, batches: Sequence[Ints], forgetting: Forgetting | None) -> dict[str, Any]:
        """For result.json; nothing where there is no curriculum. Forgetting is what this rank has seen since
        the run was last begun or taken up."""
        if not isinstance(batches, Batches) or forgetting is None:
            return {}
        met, once_right, forgotten = forgetting.counts().astype(int).tolist()
        return {
            "curriculum": {
                "name": self.spec.curriculum,
                "difficulty": self.source,
                "competences": [round(level, 4) for level in batches.competences],
                "block": batches.block,
                "met": met,
                "once_right": once_right,
                "forgotten": forgotten,
            }
        }


def recorded(history: History) -> list[tuple[int, float]]:
    """(step, loss) of a run so far: on validation items where it watches some, else on training items."""
    for name in ("eval_loss", "loss"):
        if found := [(int(entry["step"]), entry[name]) for entry in history if name in entry]:
            return found
    return []
