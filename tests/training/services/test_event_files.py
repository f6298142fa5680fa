from __future__ import annotations

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog

from training.services.curves import TensorBoard

Seen = dict[str, dict[int, float]]


def read(folder: Path) -> Seen:
    """What TensorBoard makes of a folder: files by name, and a start takes back what lies from its step on."""
    found: Seen = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            _take(Event.FromString(data[12 : 12 + length]), found)
            data = data[16 + length :]
    return found


def _take(event: Event, found: Seen) -> None:
    if event.session_log.status == SessionLog.START:
        for points in found.values():
            for later in [at for at in points if at >= event.step]:
                del points[later]
    for value in event.summary.value:
        points = found.setdefault(value.tag, {})
        assert event.step not in points  # it would be drawn twice
        points[event.step] = value.simple_value


def test_points_come_back_as_they_were_told(tmp_path: Path) -> None:
    file = TensorBoard(tmp_path / "run")
    file.add(1, {"loss": 0.5, "learning_rate": 2**-12})
    file.add(300, {"loss": 0.25})
    file.add(300, {"validation_loss": 0.375})
    assert read(tmp_path / "run") == {
        "loss": {1: 0.5, 300: 0.25},
        "learning_rate": {1: 2**-12},
        "validation_loss": {300: 0.375},
    }


def test_steps_that_are_done_again_have_one_value(tmp_path: Path) -> None:
    """In one attempt, after ranks were started again; and in the next one, which writes a file of its own."""
    first = TensorBoard(tmp_path)
    for step in (1, 2, 3, 4):
        first.add(step, {"loss": step / 8})
    first.add(3, {"loss": 3.0})  # back to a checkpoint
    first.add(4, {"loss": 4.0})
    first.add(4, {"loss": 5.0})
    assert read(tmp_path) == {"loss": {1: 0.125, 2: 0.25, 3: 3.0, 4: 5.0}}
    second = TensorBoard(tmp_path)
    second.add(2, {"loss": 7.0})
    assert len(list(tmp_path.iterdir())) == 2
    assert read(tmp_path) == {"loss": {1: 0.125, 2: 7.0}}


def test_no_file_is_made_for_a_run_without_figures(tmp_path: Path) -> None:
    TensorBoard(tmp_path / "run")
    assert not (tmp_path / "run").exists()
