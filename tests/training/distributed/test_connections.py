"""Connections that are lost again and again, in a group of one process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from training.distributed.recovery import Recovery
from training.distributed.survival import Limits, Survival


def begun_after_a_loss(work: Path, start: int) -> list[dict]:
    """The events that a start knows whose forerunners lost each other at step 7."""
    folder = work / "starts" / str(start)
    folder.mkdir(parents=True)
    for rank in (0, 1):
        end = "lost peer: Connection closed by peer"
        said = {"rank": rank, "node": "a", "pid": 1, "step": 7, "beats": 9, "at": 100.0, "end": end}
        (folder / f"rank-{rank}.json").write_text(json.dumps(said))
    survival = Survival(work, work / "attempt-1", "key", torch.device("cpu"), Limits())
    survival.heart.stop("done")
    return survival.recovery.events


def test_three_losses_in_ten_minutes_are_an_event_of_their_own_once(tmp_path: Path) -> None:
    old = {"kind": "connection", "step": 1, "text": "long ago", "at": time.time() - 700}
    Recovery(key="key", events=[old]).write(tmp_path)
    for start in (10, 20):
        events = begun_after_a_loss(tmp_path, start)
    assert [event["kind"] for event in events] == ["connection"] * 3  # the first of them no longer counts
    events = begun_after_a_loss(tmp_path, 30)
    assert [event["kind"] for event in events[3:]] == ["connection", "network"]
    assert (events[-1]["step"], events[-1]["text"]) == (
        7,
        "connections were lost 3 times in ten minutes: look at the network between the nodes",
    )
    assert Recovery.read(tmp_path, "key").events == events
    assert [event["kind"] for event in begun_after_a_loss(tmp_path, 40)[5:]] == ["connection"]
