from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from jobs.errors import Cancelled, ProgramFailed
from jobs.models import JobMetric, State
from jobs.services import jobs, processes

SAMPLE = "tests.jobs.programs.sample"


def run(folder: Path, check=lambda: None, **spec):
    events = []
    full = {"result": str(folder / "result"), **spec}
    result = processes.run(SAMPLE, full, spec_path=folder / "spec.json", on_event=events.append, check=check)
    return result, events


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        pass
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=15.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def test_it_hands_on_events_and_returns_the_whole_result(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "not for programs")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    result, events = run(tmp_path)
    assert (result / "result.json").read_text() == "{}"
    assert events == [
        {"event": "progress", "done": 1, "total": 4, "text": "quarter"},
        {"event": "metric", "step": 3, "loss": 0.25},
        {"event": "log", "text": "threads 3 spins 1000 hub 1"},
        {"event": "log", "text": "secrets []"},
        {"event": "log", "text": "plain text"},
        {"event": "log", "text": '{"not": "an event"}'},
    ]


def test_it_does_not_run_again_what_an_earlier_attempt_finished(tmp_path):
    run(tmp_path)
    _result, events = run(tmp_path)
    assert [event["text"] for event in events] == [f"{SAMPLE}: an earlier attempt has finished this step"]


def test_it_runs_again_when_the_spec_or_the_files_have_changed(tmp_path):
    result, _events = run(tmp_path)
    (result / "result.json").write_text("of the first spec, spoilt")
    assert len(run(tmp_path)[1]) == 6
    assert (result / "result.json").read_text() == "{}"
    first = (result / "result.json").stat().st_mtime_ns
    assert len(run(tmp_path, sleep=0.01)[1]) == 6
    assert (result / "result.json").stat().st_mtime_ns > first


def test_it_tells_a_refusal_and_a_crash_in_the_programs_own_words(tmp_path):
    with pytest.raises(ProgramFailed, match="^the data has one class only$") as refused:
        run(tmp_path, refuse="the data has one class only")
    assert refused.value.permanent
    with pytest.raises(ProgramFailed, match="^RuntimeError: shapes differ$") as crashed:
        run(tmp_path, crash="shapes differ")
    assert crashed.value.permanent


def test_it_lets_a_killed_program_be_tried_again(tmp_path):
    with pytest.raises(ProgramFailed, match="was ended by SIGKILL: memory may have run out") as killed:
        run(tmp_path, die=int(signal.SIGKILL))
    assert not killed.value.permanent


def test_it_shows_the_last_lines_of_a_program_that_left_without_a_word(tmp_path):
    with pytest.raises(
        ProgramFailed, match="ended with code 7 without saying why; .* about to leave"
    ) as left:
        run(tmp_path, exit=7)
    assert not left.value.permanent


def test_it_notices_a_missing_result(tmp_path):
    with pytest.raises(ProgramFailed, match="ended without a whole result"):
        run(tmp_path, no_result=True)


def test_it_keeps_up_with_a_program_that_prints_a_lot(tmp_path):
    _result, events = run(tmp_path, lines=20_000)
    assert len(events) == 20_006


@pytest.mark.slow
def test_it_ends_the_program_and_its_children_when_told_to_stop(tmp_path):
    pids = tmp_path / "pids"

    def check():
        if pids.exists() and len(pids.read_text().split()) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(tmp_path, check=check, pids=str(pids), sleep=60)
    for pid in map(int, pids.read_text().split()):
        wait_until(lambda pid=pid: not is_alive(pid))
    assert not (tmp_path / "result").exists()


def test_it_finds_an_event_behind_the_beginning_of_another_ranks_line():
    event = {"event": "progress", "done": 1, "total": 4, "text": "a {quarter}"}
    assert processes._events("plain text" + json.dumps(event)) == [
        {"event": "log", "text": "plain text"},
        event,
    ]
    assert processes._events(json.dumps(event)) == [event]
    for plain in ("plain text", '{"not": "an event"}', 'said {"event": "progress"', ""):
        assert processes._events(plain) == [{"event": "log", "text": plain}]
    nested = {"event": "log", "text": 'said {"event": "progress"}'}
    assert processes._events(json.dumps(nested)) == [nested]


@pytest.mark.slow
def test_it_divides_work_among_processes_under_torchrun(tmp_path):
    events = []
    spec = {"result": str(tmp_path / "result")}
    path = tmp_path / "spec.json"
    result = processes.run(
        SAMPLE, spec, spec_path=path, on_event=events.append, check=lambda: None, processes=2, torchrun=True
    )
    assert (result / "rank").read_text() == "2"
    assert sum(event["event"] == "progress" for event in events) == 2


@pytest.mark.slow
def test_it_ends_every_rank_under_torchrun(tmp_path):
    started = time.monotonic()

    def check():
        if list(tmp_path.glob("seen*")):
            raise Cancelled

    def see(event):
        if event["event"] == "progress":
            (tmp_path / "seen").touch()

    spec = {"result": str(tmp_path / "result"), "sleep": 60}
    with pytest.raises(Cancelled):
        processes.run(
            SAMPLE, spec, spec_path=tmp_path / "s.json", on_event=see, check=check, processes=2, torchrun=True
        )
    assert time.monotonic() - started < 40
    marker = str(tmp_path / "s.json").encode()

    def gone():
        return not any(marker in _command_line(entry) for entry in Path("/proc").glob("[0-9]*"))

    wait_until(gone)


def _command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.django_db
def test_a_job_runs_a_program_and_books_what_it_reports(kind):
    def work(ctx):
        result = ctx.run_program(SAMPLE, {})
        return {"files": sorted(path.name for path in result.iterdir())}

    job = jobs.enqueue(kind(work))
    jobs.drain()
    job.refresh_from_db()
    assert job.state == State.DONE, job.error
    assert job.result == {"files": ["manifest.json", "rank", "result.json"]}
    assert "plain text" in [line.text for line in job.log_lines.all()]
    assert JobMetric.objects.get(job=job, step=3).values == {"loss": 0.25}


@pytest.mark.django_db
def test_a_job_calls_a_light_program_in_its_own_process(kind):
    def work(ctx):
        return {"here": (ctx.run_program(SAMPLE, {}, in_process=True) / "result.json").exists()}

    name = kind(work)
    job = jobs.enqueue(name)
    jobs.drain()
    job.refresh_from_db()
    assert job.result == {"here": True}
    assert JobMetric.objects.filter(job=job).exists()


@pytest.mark.django_db
def test_a_refusal_in_its_own_process_fails_the_job_for_good(kind):
    job = jobs.enqueue(
        kind(lambda ctx: ctx.run_program(SAMPLE, {"refuse": "no labels"}, in_process=True) and None)
    )
    assert jobs.drain() == 1
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "no labels")


@pytest.mark.django_db
def test_a_later_attempt_takes_up_finished_steps(kind):
    def work(ctx):
        first = ctx.run_program(SAMPLE, {"result": str(ctx.work_folder() / "first")})
        stamp = (first / "result.json").stat().st_mtime_ns
        if ctx.attempt == 1:
            ctx.run_program(SAMPLE, {"die": int(signal.SIGKILL), "was": stamp})
        return {"stamp": stamp}

    job = jobs.enqueue(kind(work))
    assert jobs.drain() == 2
    job.refresh_from_db()
    assert job.state == State.DONE
    lines = [line.text for line in job.log_lines.all()]
    assert "attempt 2 of 3" in lines
    assert f"{SAMPLE}: an earlier attempt has finished this step" in lines


def test_stopping_twice_or_after_the_end_does_no_harm(tmp_path):
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.PIPE, start_new_session=True)
    threads = [threading.Thread(target=processes.stop, args=(child,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    processes.stop(child)
    assert child.returncode is not None
