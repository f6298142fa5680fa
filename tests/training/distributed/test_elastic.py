from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from training.distributed import elastic
from training.distributed.elastic import Heart, Note, failing_nodes, launcher


def test_it_launches_one_machine_without_a_place_to_meet() -> None:
    assert launcher(2) == [
        "--standalone",
        "--nproc-per-node=2",
        "--max-restarts=10",
        "--monitor-interval=0.1",
        "--shutdown-timeout=3",
    ]


def test_it_launches_several_machines_that_miss_a_lost_one_soon() -> None:
    options = launcher(4, nodes="2:8", endpoint="first:29400", run_id="run-7")
    assert options[:5] == [
        "--nnodes=2:8",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=first:29400",
        "--rdzv-id=run-7",
        "--rdzv-conf=last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=3,read_timeout=30",
    ]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("many", "expected a number or least:most"),
        ("4:2", "found '4:2'"),
        ("0", "found '0'"),
        ("2", "no place"),
    ],
)
def test_it_refuses_nodes_that_make_no_sense(nodes: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        launcher(1, nodes=nodes)


def test_the_fewest_nodes_are_those_before_the_colon() -> None:
    assert [elastic.least_of(nodes) for nodes in ("1:4", "2:8", "3", "many")] == [1, 2, 3, 1]


def test_it_leaves_out_a_node_that_fails_again_and_again_but_never_all() -> None:
    nodes = ["a", "b", "c"]
    assert failing_nodes(["a", "b", "a"], nodes) == []
    assert failing_nodes(["a", "b", "a", "a"], nodes) == ["a"]
    assert failing_nodes([*"aaaabbbccc"], nodes) == ["a", "b"]
    assert failing_nodes([*"aaaabbb"], nodes, least=2) == ["a"]
    assert failing_nodes([*"aaa"], ["a"]) == []
    assert failing_nodes([*"zzz"], nodes) == []  # is gone already


def note_of(folder: Path, rank: int) -> Note:
    return {note.rank: note for note in elastic.read_notes(folder)}[rank]


def test_it_beats_and_says_how_it_ended(tmp_path: Path) -> None:
    heart = Heart(tmp_path, 3, interval=0.01)
    heart.move(12)
    eventually(lambda: note_of(tmp_path, 3).beats >= 2)
    heart.stop("done")
    heart.stop("something later")
    note = note_of(tmp_path, 3)
    assert (note.rank, note.pid, note.step, note.end) == (3, os.getpid(), 12, "done")
    assert elastic.lost_among([note]) == []


def test_it_says_at_once_that_it_trains_or_rests(tmp_path: Path) -> None:
    heart = Heart(tmp_path, 0, interval=3600)  # no beat in this test: who is stopped here is seen in training
    assert note_of(tmp_path, 0).step == -1
    heart.move(0)
    assert note_of(tmp_path, 0).step == 0
    heart.move(-1)
    assert note_of(tmp_path, 0).step == -1
    heart.stop("done")


def test_it_passes_over_notes_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "rank-0.json").write_text("{")
    (tmp_path / "rank-1.json").write_text('{"other": 1}')
    assert elastic.read_notes(tmp_path) == []
    assert elastic.newest_notes(tmp_path) == []


def test_it_looks_while_rank_0_clears_the_notes_away(
    tmp_path: Path, coming_and_going: Callable[[Path], None]
) -> None:
    coming_and_going(tmp_path / "starts" / "1")
    for _ in range(3000):
        assert elastic.newest_notes(tmp_path) == []
        assert elastic.read_notes(tmp_path / "starts" / "1") == []


LEFT = """
import json, sys, threading
from pathlib import Path
from training.distributed.elastic import Heart, Note
folder, node, end = Path(sys.argv[1]), *sys.argv[2:]
(folder / "rank-1.json").write_text(json.dumps(Note(1, node, 1, 5, 3, 0.0, end).__dict__))
heart = Heart(folder, 0, patience=0.05, interval=0.01)
heart.move(5)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("its agent was lost", "lost peer: rank 1 on elsewhere ended: its agent was lost"),
        ("", "lost peer: rank 1 on elsewhere has not beaten for 0.6 s"),
    ],
)
def test_it_does_not_wait_for_a_rank_on_another_node_that_will_not_come_back(
    tmp_path: Path, end: str, says: str
) -> None:
    launched = {**os.environ, "TORCHELASTIC_RUN_ID": "run"}
    child = subprocess.Popen([sys.executable, "-c", LEFT, str(tmp_path), "elsewhere", end], env=launched)
    assert child.wait(20) == 1
    assert note_of(tmp_path, 0).end == says


def test_it_ends_as_soon_as_its_agent_has(tmp_path: Path) -> None:
    heart = "from training.distributed.elastic import Heart; import sys, time, pathlib"
    rank = f"{heart}; Heart(pathlib.Path(sys.argv[1]), 0, interval=3600); time.sleep(3600)"
    agent = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    launched = {**os.environ, "TORCHELASTIC_RUN_ID": "run"}
    child = subprocess.Popen([sys.executable, "-c", agent, rank, str(tmp_path)], env=launched)
    eventually(lambda: bool(elastic.read_notes(tmp_path)))
    child.kill()
    child.wait()
    eventually(lambda: note_of(tmp_path, 0).end == "its agent was lost")


TOLD = """
import sys, threading
from pathlib import Path
from training.distributed.elastic import Heart
heart = Heart(Path(sys.argv[1]), 0, signals=True)
print("ready", flush=True)
threading.Lock().acquire() and threading.Event().wait()
"""


def test_it_says_that_it_was_told_to_stop(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", TOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    child.terminate()
    assert child.wait(20) == elastic.STOPPED
    child.stdout.close()
    assert note_of(tmp_path, 0).end == "stopped"


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)
