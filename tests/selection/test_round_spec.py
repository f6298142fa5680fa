from __future__ import annotations

import json

import pytest

from selection.round_spec import RoundSpec


def test_it_comes_back_whole_from_json() -> None:
    spec = RoundSpec(strategy="blend", settings={"alpha": 0.5}, batch_size=7, seed=3, learner="probe")
    assert RoundSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch_size": -1}, "batch size of -1, expected 0 or more"),
        ({"control_share": 1.5}, "control share of 1.5"),
        ({"seed": -1}, "seed of -1"),
        ({"pool_limit": 5, "batch_size": 10}, "pool limit of 5"),
        ({"spec_version": 2}, "spec_version 2"),
        ({"colour": 1}, "a round has no colour"),
    ],
)
def test_it_refuses_orders_that_make_no_sense(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RoundSpec.from_json(given)
