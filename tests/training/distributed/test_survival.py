"""What a start makes of the notes of the last one, in a group of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.distributed import elastic
from training.distributed.recovery import Recovery
from training.distributed.survival import Limits, Survival

HERE = elastic.node_name()


def note(work: Path, start: int, rank: int, node: str, end: str, step: int = 3) -> None:
    folder = work / "starts" / str(start)
    folder.mkdir(parents=True, exist_ok=True)
    said = {"rank": rank, "node": node, "pid": 1, "step": step, "beats": 9, "at": 100.0, "end": end}
    (folder / f"rank-{rank}.json").write_text(json.dumps(said))


def begun(work: Path, limits: Limits | None = None) -> Recovery:
    """What a start knows; it says nothing at its end, as if its process were killed."""
    survival = Survival(work, work / "attempt-1", "key", torch.device("cpu"), limits or Limits())
    survival.heart.stop("done")
    return survival.recovery


@pytest.mark.parametrize(("least", "left_out"), [(1, ["b"]), (2, [])])
def test_a_node_lost_three_times_is_left_out_while_enough_remain(
    tmp_path: Path, least: int, left_out: list[str]
) -> None:
    for start in (10, 20, 30):
        note(tmp_path, start, 0, "a", "lost peer: rank 1")
        note(tmp_path, start, 1, "b", "")
        made = begun(tmp_path, Limits(least_nodes=least))
    assert made.left_out == left_out
    assert [event["nodes"] for event in made.events if event["kind"] == "lost"] == [["b"]] * 3
    assert [event["kind"] for event in made.events[3:]] == ["node"] * len(left_out)


def test_where_all_were_lost_at_once_no_node_is_to_blame(tmp_path: Path) -> None:
    for start in (10, 20, 30):
        note(tmp_path, start, 0, "a", "")
        note(tmp_path, start, 1, "b", "")
        made = begun(tmp_path)
    assert made.left_out == []
    assert [event["text"].partition(" after")[0] for event in made.events] == ["all 2 ranks were lost"] * 3


def test_losing_one_that_was_left_out_is_no_trouble_of_the_network(tmp_path: Path) -> None:
    note(tmp_path, 10, 0, "a", "lost peer: rank 1", step=-1)
    note(tmp_path, 10, 1, "b", elastic.LEFT_OUT, step=-1)
    assert begun(tmp_path).events == []


def test_one_that_was_left_out_trains_where_nobody_else_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recovery(key="key", left_out=[HERE]).write(tmp_path)
    assert begun(tmp_path).left_out == [HERE]  # and it did not end
    assert f"node {HERE} was left out and is needed again" in capsys.readouterr().out
