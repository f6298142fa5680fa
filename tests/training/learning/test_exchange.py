"""Runs that tell each other their gradients: the arithmetic, what is not listened to, what it is good for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.learning import exchange
from training.learning.exchange import Exchange


class Encoder(nn.Module):
    """A word table and one matrix, 24 wide."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.matrix = nn.Embedding(6, 24), nn.Linear(24, 24)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table


def member(folder: Path, name: str, **changes: Any) -> Exchange:
    settings: dict[str, Any] = {"base": "one base", "every": 2, "weight": 0.25, **changes}
    return Exchange(Encoder(), folder, name, settings.pop("base"), **settings)


def step(run: Exchange, number: int, value: float) -> Tensor:
    """A step whose own gradient is `value` everywhere; the matrix's gradient afterwards."""
    for parameter in run.parameters.values():
        parameter.grad = torch.full_like(parameter, value)
    run.mix(number)
    found = run.parameters["matrix.weight"].grad
    assert found is not None
    return found


def test_each_goes_along_a_share_of_what_the_others_told_last(tmp_path: Path) -> None:
    one, other = member(tmp_path, "one"), member(tmp_path, "other")
    assert set(one.parameters) == {"matrix.weight", "matrix.bias"}  # the word table is each run's own
    for number, value in ((1, 1.0), (2, 3.0)):
        assert step(one, number, value).unique().tolist() == [value]  # alone: its own
    step(other, 1, 10.0)
    assert step(other, 2, 10.0).unique().tolist() == [0.75 * 10 + 0.25 * 2]
    assert step(other, 3, 10.0).unique().tolist() == [8.0]  # until the next time
    assert step(one, 3, 1.0).unique().tolist() == [1.0]
    assert step(one, 4, 1.0).unique().tolist() == [
        0.75 + 0.25 * 10
    ]  # what it told was its own, not the mixture
    assert one.figures() == {
        "every": 2,
        "weight": 0.25,
        "times": 2,
        "published": 2,
        "heard": 1,
        "skipped": {},
    }
    assert len(list(tmp_path.glob("one-*.safetensors"))) == 1  # an old one is gone


def test_what_is_missing_stale_damaged_or_of_another_base_is_skipped_and_counted(tmp_path: Path) -> None:
    for name in ("gone", "torn", "old", "nan"):
        run = member(tmp_path, name)
        step(run, 1, 1.0)
        step(run, 2, float("nan") if name == "nan" else 1.0)
    stranger = member(tmp_path, "stranger", base="another base")
    step(stranger, 2, 1.0)
    (tmp_path / "gone-2.safetensors").unlink()
    torn = tmp_path / "torn-2.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1] + b"\x07")
    (tmp_path / "words.json").write_text("not JSON")
    (tmp_path / "outside.json").write_text(
        json.dumps({"base": "one base", "file": "../x", "sha256": "", "at": time.time()})
    )
    note = json.loads((tmp_path / "old.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps({**note, "at": note["at"] - exchange.STALE_SECONDS - 60}))
    run = member(tmp_path, "run")
    assert step(run, 2, 5.0).unique().tolist() == [5.0]
    assert run.figures()["skipped"] == {"stale": 1, "damaged": 5, "other base": 1}
    assert run.figures()["heard"] == 0


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_telling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    run = member(tmp_path / "file" / "group", "run")
    assert step(run, 2, 5.0).unique().tolist() == [5.0]
    assert run.figures()["published"] == 0
    assert "the gradient of step 2 was not published: NotADirectoryError" in capsys.readouterr().out


def test_runs_that_exchange_end_with_fewer_weights_moved_in_opposite_directions(tmp_path: Path) -> None:
    def trained(weight: float) -> float:
        """Two runs of one base on tasks that pull apart, turn by turn."""
        folder = tmp_path / str(weight)
        runs = [member(folder, name, weight=weight, every=5) for name in ("one", "other")]
        base = {name: value.detach().clone() for name, value in runs[0].parameters.items()}
        noise = torch.Generator().manual_seed(1)
        shared = torch.randn(24, 24, generator=noise)
        goals = [shared + 2 * torch.randn(24, 24, generator=noise) for _ in runs]
        makers = [torch.optim.AdamW(run.parameters.values(), lr=0.01, weight_decay=0) for run in runs]
        for number in range(1, 41):
            for run, goal, optimizer in zip(runs, goals, makers, strict=True):
                inputs = torch.randn(64, 24, generator=noise)
                weight_, bias = run.parameters["matrix.weight"], run.parameters["matrix.bias"]
                loss = (inputs @ weight_.T + bias - inputs @ goal.T).square().mean()
                optimizer.zero_grad()
                loss.backward()
                run.mix(number)
                optimizer.step()
        one, other = runs
        return exchange.sign_conflict(one.parameters, other.parameters, base)

    without, some, half = trained(0.0), trained(0.25), trained(0.5)
    assert half < some < without
