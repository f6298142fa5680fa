"""Every program that trains gets its GPU ready as the environment says, before it reads anything."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobs import program
from training.programs import finetune, reinforce, tune


@pytest.mark.parametrize(
    ("module", "more"),
    [
        (finetune, {"labels": ["a", "b"]}),
        (tune, {"objective": "sft"}),
        (reinforce, {"reward_model": "none", "reward_base": "none"}),
    ],
)
def test_it_reads_the_share_and_lets_segments_grow(
    module: ModuleType, more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "")
    monkeypatch.delenv("PYTORCH_ALLOC_CONF")
    monkeypatch.setenv("TRAINING_GPU_POOL", "much")
    places = {name: str(tmp_path / name) for name in ("result", "work", "data", "base_model")}
    with pytest.raises(program.Refused, match="TRAINING_GPU_POOL: found 'much', expected a share from 0"):
        module.work({**places, **more})
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
