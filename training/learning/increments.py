"""What a run that goes on from a model learns: all that is new, and a part of what the model knows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from training.objectives.frozen import Examples


def increment(
    train: Examples, before: Examples, replay: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Ascending positions of what is new in `train` or has another answer than in `before`, with a share
    `replay` of the rest drawn uniformly (rounded up); and of each of these whether it is one of the rest.

    Replaying some of what was learnt keeps it from being forgotten: Robins 1995, "Catastrophic Forgetting,
    Rehearsal and Pseudorehearsal"; Chaudhry et al. 2019, "On Tiny Episodic Memories in Continual Learning".
    """
    known = dict(zip(before.rows.tolist(), before.answers, strict=True))
    missing = object()
    is_old = np.array(
        [
            known.get(row, missing) == answer
            for row, answer in zip(train.rows.tolist(), train.answers, strict=True)
        ],
        dtype=bool,
    )
    old = np.flatnonzero(is_old)
    again = rng.choice(old, size=math.ceil(replay * len(old)), replace=False)
    kept = np.sort(np.concatenate([np.flatnonzero(~is_old), again])).astype(np.int64)
    return kept, is_old[kept]
