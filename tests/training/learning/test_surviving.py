"""Gradients held below a bound."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from training.learning.surviving import clipped


@pytest.mark.parametrize("scale", [1e-4, 1.0, float("nan")])
def test_it_scales_as_torch_does_and_leaves_short_gradients_alone(scale: float) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(30, 40), nn.Linear(40, 5), nn.Linear(5, 2))
    for value in list(ours.parameters())[:-1]:  # the last has no gradient
        value.grad = torch.randn_like(value) * scale
    torchs = copy.deepcopy(ours)
    for mine, theirs in zip(ours.parameters(), torchs.parameters(), strict=True):
        theirs.grad = None if mine.grad is None else mine.grad.clone()
    before = clipped(ours, 1.0)
    expected = nn.utils.clip_grad_norm_(torchs.parameters(), 1.0)
    torch.testing.assert_close(before, expected, rtol=0, atol=0, equal_nan=True)
    for mine, theirs in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=0, equal_nan=True)
    written = {value.grad._version for value in ours.parameters() if value.grad is not None}
    assert written == ({0} if scale == 1e-4 else {1})
    left = float(
        torch.stack([value.grad.norm() for value in ours.parameters() if value.grad is not None]).norm()
    )
    assert scale != scale or left == pytest.approx(min(1.0, float(before)), rel=1e-5)
