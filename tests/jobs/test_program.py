from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from jobs import program


def test_it_makes_the_result_whole_or_not_at_all(tmp_path):
    final = tmp_path / "result"
    with pytest.raises(OSError, match="full"), program.result_folder(final) as folder:
        (folder / "half").write_text("x")
        raise OSError("the disk is full")
    assert list(tmp_path.iterdir()) == []
    with program.result_folder(final) as folder:
        (folder / "a.txt").write_text("hello")
        assert not final.exists()
    program.verify_manifest(final)
    assert json.loads((final / "manifest.json").read_text())["files"]["a.txt"]["bytes"] == 5


def test_it_keeps_the_first_whole_result(tmp_path):
    for text in ("first", "second"):
        with program.result_folder(tmp_path / "result") as folder:
            (folder / "a.txt").write_text(text)
    assert (tmp_path / "result" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_it_names_the_file_that_is_missing_or_changed(tmp_path):
    with program.result_folder(tmp_path / "r") as folder:
        (folder / "a.txt").write_text("hello")
    (tmp_path / "r" / "a.txt").write_text("HELLO")
    with pytest.raises(ValueError, match=r"a\.txt in .* does not match its manifest"):
        program.verify_manifest(tmp_path / "r")
    (tmp_path / "r" / "a.txt").unlink()
    with pytest.raises(ValueError, match=r"lacks a\.txt"):
        program.verify_manifest(tmp_path / "r")


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "holds list, expected a JSON object"), ("{", "cannot be read"), (None, "cannot be read")],
)
def test_it_refuses_a_spec_that_is_no_object(tmp_path, text, message):
    path = tmp_path / "spec.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(program.Refused, match=message):
        program.read_spec(path)


def test_it_turns_outcomes_into_exit_codes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(program, "hold_leash", lambda: None)
    path = tmp_path / "spec.json"
    path.write_text("{}")

    def refuse(spec):
        raise program.Refused("no data")

    assert program.run(lambda spec: None, [str(path)]) == 0
    assert program.run(refuse, [str(path)]) == program.EXIT_REFUSED
    assert program.run(lambda spec: spec["missing"], [str(path)]) == 1
    assert program.run(lambda spec: None, []) == program.EXIT_REFUSED
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    errors = [event["message"] for event in events if event["event"] == "error"]
    assert errors == [
        "no data",
        "KeyError: 'missing'",
        "found 0 arguments, expected one: the path of a spec file",
    ]


def test_it_hands_events_to_a_sink_in_its_own_process(capsys):
    seen = []
    with program.events_to(seen.append):
        program.progress(1, 2, "half")
    program.log("printed")
    assert seen == [{"event": "progress", "done": 1, "total": 2, "text": "half"}]
    assert json.loads(capsys.readouterr().out) == {"event": "log", "text": "printed"}


@pytest.mark.slow
def test_it_dies_when_its_standard_input_closes():
    code = (
        "import time; from jobs import program; program.hold_leash(); print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert child.stdout.readline() == b"up\n"
    child.stdin.close()
    assert child.wait(10) == program.EXIT_ORPHANED
