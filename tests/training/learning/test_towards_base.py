from __future__ import annotations

from typing import Any

import pytest
import torch

from training.learning.towards_base import TowardsBase

pytestmark = pytest.mark.slow  # torch and transformers


def stepped(strength: float, rate: float) -> tuple[torch.nn.Linear, TowardsBase]:
    module = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[3.0, 4.0]]))
    pull = TowardsBase(module, strength)
    with torch.no_grad():
        module.weight.add_(torch.tensor([[0.0, 5.0]]))
    nothing: Any = None
    pull.on_optimizer_step(nothing, nothing, nothing, optimizer=torch.optim.SGD(module.parameters(), lr=rate))
    return module, pull


def test_it_goes_back_rate_times_strength_of_the_way() -> None:
    module, pull = stepped(strength=20.0, rate=0.01)
    assert module.weight.tolist() == [[3.0, 8.0]]
    assert pull.distance() == pytest.approx(4 / 5)


def test_it_never_overshoots() -> None:
    module, pull = stepped(strength=10_000.0, rate=1.0)
    assert module.weight.tolist() == [[3.0, 4.0]] and pull.distance() == 0
