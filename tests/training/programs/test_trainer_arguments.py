"""What the Trainer is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from training.programs.finetune_arguments import arguments
from training.programs.finetune_spec import FinetuneSpec
from training.programs.trainer_arguments import saves

FIELD = {
    "name": "intent",
    "type": "classification",
    "labels": [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}],
}


@dataclass(frozen=True)
class Case:
    steps: int
    save_every: int
    between: int
    saved: int


@pytest.mark.slow  # torch
@pytest.mark.parametrize(
    "case", [Case(99, 7, 1, 7), Case(250, 63, 2, 64), Case(250, 64, 2, 64), Case(350, 88, 3, 90)]
)
def test_checkpoints_come_with_a_point_of_the_curve(tmp_path: Path, case: Case) -> None:
    """Else the next point of a run that goes on would be a mean over fewer steps, and an adaptive curriculum,
    which goes by the points, would take another turn.
    """
    given = {
        "result": str(tmp_path / "r"),
        "work": str(tmp_path / "w"),
        "data": str(tmp_path),
        "field": FIELD,
    }
    settings = {"base_model": str(tmp_path), "objective": "classification", "patience": 2}
    spec = FinetuneSpec.from_json({**given, **settings, "save_every": case.save_every})
    found = arguments(spec, tmp_path, case.steps, has_validation=True)
    assert (found.logging_steps, found.save_steps, found.eval_steps) == (case.between, case.saved, case.saved)
    # Of the last step only to go back to the best: what is written next is all that it would hold.
    assert [saves(found, case.saved + more) for more in (-1, 0, 1)] == ["last", "last", "during"]
    found.load_best_model_at_end = False
    assert [saves(found, case.saved + more) for more in (-1, 0, 1)] == ["never", "never", "during"]
