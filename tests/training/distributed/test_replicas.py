from __future__ import annotations

import torch
from torch import nn

from training.distributed.replicas import apart, compare, mean_over_ranks, weights_hash


def test_it_trusts_what_most_ranks_have_and_rank_0_where_no_side_leads() -> None:
    assert apart([1, 1, 1]) == (0, [])
    assert apart([2, 1, 1]) == (1, [0])
    assert apart([1, 1, 2, 2]) == (0, [2, 3])
    assert apart([3, 1, 2]) == (0, [1, 2])


def test_it_hashes_every_bit_of_weights_and_buffers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = weights_hash(model)
    assert 0 <= before < 2**63 and before == weights_hash(model)
    for value in (model[0].weight, model[1].running_mean):
        kept = value.detach().clone()
        with torch.no_grad():
            value.view(-1)[0] += 1e-6
        assert weights_hash(model) != before
        with torch.no_grad():
            value.copy_(kept)
    assert weights_hash(model) == before


def test_it_is_at_one_with_itself() -> None:
    assert compare(nn.Linear(2, 2), torch.device("cpu")) == (0, [])
    assert mean_over_ranks(0.5, torch.device("cpu")) == 0.5
