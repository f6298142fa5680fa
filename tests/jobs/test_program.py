from __future__ import annotations

import errno
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jobs import program
from tests.training_kit import ROOT


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_it_makes_a_result_whole_or_not_at_all(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "result"
    with program.result_folder(final) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "weights").write_bytes(b"12345")
        assert not final.exists() and folder.parent == final.parent
    manifest = json.loads((final / program.MANIFEST).read_text())
    assert manifest["files"]["part/weights"]["bytes"] == 5
    program.verify_manifest(final)
    assert os.listdir(final.parent) == ["result"]


def test_it_leaves_nothing_and_changes_nothing_on_an_error(tmp_path: Path) -> None:
    with program.result_folder(tmp_path / "old") as folder:
        (folder / "weights").write_text("the model in use")
    with pytest.raises(OSError, match="No space"), program.result_folder(tmp_path / "new") as folder:
        (folder / "weights").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == ["old"]
    program.verify_manifest(tmp_path / "old")


def test_it_leaves_nothing_when_the_disk_is_full_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), program.result_folder(tmp_path / "new") as folder:
        (folder / "weights").write_text("written, not yet on the disk")
    assert os.listdir(tmp_path) == []


def test_it_keeps_the_first_whole_result(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with program.result_folder(tmp_path / "result") as folder:
            (folder / "x").write_text(text)
    assert (tmp_path / "result" / "x").read_text() == "first"
    assert os.listdir(tmp_path) == ["result"]


def test_it_names_damage(tmp_path: Path) -> None:
    with program.result_folder(tmp_path / "result") as folder:
        (folder / "a").write_text("one")
        (folder / "b").write_text("two")
    (tmp_path / "result" / "a").write_text("ONE")
    with pytest.raises(ValueError, match="a in .* does not match its manifest"):
        program.verify_manifest(tmp_path / "result")
    (tmp_path / "result" / "a").unlink()
    with pytest.raises(ValueError, match="lacks a, which its manifest lists: run the job again"):
        program.verify_manifest(tmp_path / "result")
    with pytest.raises(ValueError, match="was not written whole"):
        program.verify_manifest(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"), [(None, "cannot be read"), ("{", "cannot be read"), ("[]", "holds list")]
)
def test_it_refuses_a_spec_that_is_none(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "spec.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(program.Refused, match=words):
        program.read_spec(path)


def run_with(tmp_path: Path, work: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(program, "hold_leash", lambda: None)
    (tmp_path / "spec.json").write_text('{"x": 1}')
    return program.run(work, list(arguments) or [str(tmp_path / "spec.json")])


def test_it_says_by_its_exit_code_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, Any]] = []
    assert run_with(tmp_path, seen.append, monkeypatch) == 0
    assert seen == [{"x": 1}] and capsys.readouterr().out == ""

    def refuse(_spec: dict[str, Any]) -> None:
        raise program.Refused("label more items")

    assert run_with(tmp_path, refuse, monkeypatch) == program.EXIT_REFUSED
    assert events(capsys.readouterr().out) == [{"event": "error", "message": "label more items"}]

    def crash(_spec: dict[str, Any]) -> None:
        raise KeyError("colour")

    assert run_with(tmp_path, crash, monkeypatch) == 1
    printed = events(capsys.readouterr().out)
    assert printed[-1] == {"event": "error", "message": "KeyError: 'colour'"}
    assert any("in crash" in event["text"] for event in printed if event["event"] == "log")

    assert run_with(tmp_path, seen.append, monkeypatch, "one", "two") == program.EXIT_REFUSED
    assert "found 2 arguments, expected one" in events(capsys.readouterr().out)[0]["message"]


def test_it_hands_events_to_the_caller_when_called_in_process(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[dict[str, Any]] = []
    with program.events_to(seen.append):
        program.progress(1, 2, "半分")
        program.metric(3, loss=0.5)
    program.log("back on standard output: 完")
    assert seen == [
        {"event": "progress", "done": 1, "total": 2, "text": "半分"},
        {"event": "metric", "step": 3, "loss": 0.5},
    ]
    assert events(capsys.readouterr().out) == [{"event": "log", "text": "back on standard output: 完"}]


@pytest.mark.parametrize(("argument", "old"), [("-m", 100), ("manage.py", gc.get_threshold()[2])])
def test_it_collects_less_often_in_a_process_that_runs_a_program(
    monkeypatch: pytest.MonkeyPatch, argument: str, old: int
) -> None:
    before = gc.get_threshold()
    monkeypatch.setattr(sys, "argv", [argument, "spec.json"])
    try:
        program.start_quickly()
        assert gc.get_threshold() == (*before[:2], old)
    finally:
        gc.set_threshold(*before)


SLEEPER = """
import time
from jobs import program
def work(spec):
    program.log("working")
    time.sleep(60)
program.main(work)
"""


def start_sleeper(tmp_path: Path, **popen: Any) -> subprocess.Popen[bytes]:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "spec.json").write_text("{}")
    return subprocess.Popen(
        [sys.executable, "sleeper.py", "spec.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        **popen,
    )


def test_it_ends_when_its_standard_input_closes(tmp_path: Path) -> None:
    child = start_sleeper(tmp_path, stdin=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    assert json.loads(child.stdout.readline())["text"] == "working"
    started = time.monotonic()
    child.stdin.close()
    assert child.wait(10) == program.EXIT_ORPHANED
    assert time.monotonic() - started < 5
    child.stdout.close()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """kill -9 of the parent: the pipe's only writer is gone, and with it the program."""
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, 'sleeper.py', 'spec.json'], stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "spec.json").write_text("{}")
    parent = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert json.loads(parent.stdout.readline())["text"] == "working"
    parent.kill()
    parent.wait(10)
    # The sleeper holds the other end of this pipe: it reads as ended once the sleeper is gone.
    assert parent.stdout.read() == b""
    parent.stdout.close()
