from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.distributed import elastic, stillness
from training.distributed.elastic import Heart, Note


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def note_of(work: Path, pid: int, step: int, end: str = "", beats: int = 3) -> Note:
    """The note of a rank, as it lies in the second start."""
    (work / "starts" / "1").mkdir(parents=True, exist_ok=True)
    folder = work / "starts" / "2"
    note = Note(1, elastic.node_name(), pid, step, beats, 0.0, end)
    folder.mkdir(exist_ok=True)
    (folder / "rank-1.json").touch()
    elastic.say_of(folder, note, end)
    return note


def look(work: Path, times: int = 7) -> None:
    """So many looks, a second apart for those who count them."""
    watch = stillness.Watch(work, 5.0)
    for _time in range(times):
        watch.look()


def test_it_kills_a_rank_that_stands_still_in_training_and_says_so_in_its_note(
    tmp_path: Path, other: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    note_of(tmp_path, other.pid, step=5)
    os.kill(other.pid, signal.SIGSTOP)
    look(tmp_path, times=5)
    assert other.poll() is None
    look(tmp_path, times=6)  # the first look knows no beat before it
    assert other.wait(20) == -signal.SIGKILL
    assert '"text": "rank 1 has not beaten for 5 s at step 5: it is killed"' in capsys.readouterr().out
    (note,) = elastic.newest_notes(tmp_path)
    assert (note.pid, note.step, note.beats, note.end) == (other.pid, 5, 3, elastic.STILL)
    assert elastic.lost_among([note]) == [note]


@pytest.mark.parametrize(("step", "end"), [(-1, ""), (5, "done")])
def test_it_lets_one_be_that_does_not_train(
    tmp_path: Path, other: subprocess.Popen[bytes], step: int, end: str
) -> None:
    note_of(tmp_path, other.pid, step, end)
    look(tmp_path)
    assert other.poll() is None and elastic.newest_notes(tmp_path)[0].end == end


def test_it_lets_one_be_that_beats(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    watch = stillness.Watch(tmp_path, 5.0)
    for look_ in range(30):
        note_of(tmp_path, other.pid, 5, beats=look_ // 4)
        watch.look()
    assert other.poll() is None


def test_it_lets_one_be_where_the_disk_takes_no_beat(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    note_of(tmp_path, other.pid, step=5)
    (tmp_path / "starts" / "2" / f"agent-{elastic.node_name()}").mkdir()  # cannot be written
    look(tmp_path)
    assert other.poll() is None


def test_it_takes_only_its_own_children_that_run(other: subprocess.Popen[bytes]) -> None:
    assert stillness.is_ours(other.pid)
    assert not stillness.is_ours(os.getppid())
    other.kill()
    other.wait()
    assert not stillness.is_ours(other.pid)


def test_what_torchrun_leaves_behind_is_killed(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    note_of(tmp_path, other.pid, step=5)
    os.kill(other.pid, signal.SIGSTOP)
    stillness.end_left(tmp_path)
    assert other.wait(20) == -signal.SIGKILL


def test_a_heart_writes_what_the_agent_reads(tmp_path: Path) -> None:
    heart = Heart(tmp_path / "starts" / "1", 0, interval=3600)
    heart.move(4)
    (note,) = elastic.newest_notes(tmp_path)
    elastic.say_of(tmp_path / "starts" / "1", note, elastic.STILL)
    heart.stop("done")
    (note,) = elastic.newest_notes(tmp_path)
    assert (note.step, note.end) == (4, "done")
