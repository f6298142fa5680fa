"""The fine-tune program on a machine whose second process can hold four items at once and no more. Run by
test_agents.py, as the program would be.

python -m tests.training.programs.short_of_memory SPEC.json
"""

from __future__ import annotations

from typing import Any

from jobs import program
from training.distributed import communicate
from training.learning.trainer import ExactTrainer
from training.programs import finetune

MOST = 4
_plain = ExactTrainer.compute_loss


def compute_loss(trainer: ExactTrainer, model: Any, inputs: dict[str, Any], *rest: Any, **more: Any) -> Any:
    if communicate.rank() == 1 and len(inputs["ids"]) > MOST:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    return _plain(trainer, model, inputs, *rest, **more)


if __name__ == "__main__":
    ExactTrainer.compute_loss = compute_loss  # type: ignore[method-assign]
    program.main(finetune.work)
