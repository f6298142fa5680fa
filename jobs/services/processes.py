"""Starting, following and ending heavy programs (the parent's side of jobs/program.py)."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs import program
from jobs.errors import ProgramFailed

Event = dict[str, Any]

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5.0
_MAX_LINE = 64 * 1024
_LAST_LINES = 5  # of a program that died without a word, shown in its error
# Programs know no database and no broker; what they do not need to know they are not told.
_WITHHELD = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "EMAIL_URL", "DJANGO_SETTINGS_MODULE")


def run(
    module: str,
    spec: dict[str, Any],
    *,
    spec_path: Path,
    on_event: Callable[[Event], None],
    check: Callable[[], None],
    processes: int = 1,
    torchrun: bool = False,
    launcher: Sequence[str] = (),
) -> Path:
    """Run `python -m module spec_path` to its end and return `spec["result"]`, verified.

    `check` is called several times a second; whatever it raises ends the program with all its children first.
    `launcher`: the module of torchrun, or of what stands in for it, and its options.
    """
    result = Path(spec["result"])
    if _is_finished(result, spec):
        on_event({"event": "log", "text": f"{module}: an earlier attempt has finished this step"})
        return result
    _clear(result)
    spec_path.parent.mkdir(parents=True, exist_ok=True)
    spec_path.write_text(json.dumps(spec, ensure_ascii=False))
    child = subprocess.Popen(
        _command(module, spec_path, processes, torchrun, launcher),
        stdin=subprocess.PIPE,  # the leash: it closes when this process ends, however it ends
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=settings.BASE_DIR,
        env=_environment(processes),
        start_new_session=True,
    )
    follower = _Follower(child, on_event)
    try:
        follower.follow(check)
    finally:
        stop(child)
    if child.returncode != 0:
        raise _failure(module, child.returncode, follower)
    return _verified(module, result, spec)


def call(module: str, spec: dict[str, Any], *, on_event: Callable[[Event], None]) -> Path:
    """Call `module.work(spec)` in this process and return `spec["result"]`, verified."""
    result = Path(spec["result"])
    if _is_finished(result, spec):
        return result
    _clear(result)
    try:
        with program.events_to(on_event):
            import_module(module).work(spec)
    except program.Refused as error:
        raise ProgramFailed(str(error), permanent=True) from error
    return _verified(module, result, spec)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a program and its whole process group; returns when it is gone. Nothing happens if it has ended."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    # Ranks under torchrun have sessions of their own: they go by the leash and by torchrun's own handling of
    # SIGTERM.
    for number, patience in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _command(
    module: str, spec_path: Path, processes: int, torchrun: bool, launcher: Sequence[str]
) -> list[str]:
    if not torchrun:
        return [sys.executable, "-m", module, str(spec_path)]
    launch = launcher or ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, "-m", *launch, "-m", module, str(spec_path)]


def _environment(processes: int) -> dict[str, str]:
    """The program's environment: no hub, no secrets, and the cores shared out among its processes."""
    kept = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
    path = os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH")]))
    threads = str(max(1, (os.cpu_count() or 1) // max(1, processes)))
    return {
        **kept,
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # see training/distributed/elastic.py
        "OMP_NUM_THREADS": kept.get("OMP_NUM_THREADS", threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


class _Follower:
    """Reads a program's lines in a thread and hands them on in the caller's."""

    def __init__(self, child: subprocess.Popen[bytes], on_event: Callable[[Event], None]) -> None:
        self.child = child
        self.on_event = on_event
        self.error = ""  # the program's own sentence, if it said one
        self.last_lines: list[str] = []
        # Bounded: a program that prints faster than rows are written waits, and memory stays flat.
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=1000)
        self._ended = threading.Event()
        threading.Thread(target=self._read, name=f"read-{child.pid}", daemon=True).start()

    def follow(self, check: Callable[[], None]) -> None:
        """Hand on every line until the output ends, or the program does and is silent for a moment."""
        silent = 0.0
        try:
            while True:
                check()
                try:
                    line = self._lines.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    # A grandchild can outlive the program and keep its output open.
                    silent = silent + _POLL_SECONDS if self.child.poll() is not None else 0.0
                    if silent >= _GRACE_SECONDS:
                        return
                    continue
                if line is None:
                    self.child.wait()
                    return
                for event in _events(line.decode("utf-8", errors="replace").rstrip("\r\n")):
                    self._take(event)
        finally:
            self._ended.set()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout as stream:
            while line := stream.readline(_MAX_LINE):
                self._put(line)
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        while not self._ended.is_set():
            try:
                return self._lines.put(line, timeout=_POLL_SECONDS)
            except queue.Full:
                continue

    def _take(self, event: Event) -> None:
        if event.get("event") == "error":
            self.error = str(event.get("message", ""))
        elif event.get("event") == "log" and str(event["text"]).strip():
            self.last_lines = [*self.last_lines, str(event["text"])][-_LAST_LINES:]
        self.on_event(event)


def _events(line: str) -> list[Event]:
    """What a line says. Ranks share one pipe: the end of a plain line can come after another rank's event, which
    then stands behind its beginning.
    """
    at = line.find('{"event": ', 1)
    if at > 0 and (event := _parse(line[at:]))["event"] != "log":
        return [{"event": "log", "text": line[:at]}, event]
    return [_parse(line)]


def _parse(line: str) -> Event:
    """An event line as a mapping; any other line as log text."""
    if line.startswith("{"):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and "event" in event:
            return event
    return {"event": "log", "text": line}


def _failure(module: str, code: int, follower: _Follower) -> ProgramFailed:
    if follower.error:
        return ProgramFailed(follower.error, permanent=True)
    if code < 0:
        name = signal.Signals(-code).name
        hint = ": memory may have run out; try a smaller batch" if name == "SIGKILL" else ""
        return ProgramFailed(f"{module} was ended by {name}{hint}", permanent=False)
    said = " / ".join(follower.last_lines)
    return ProgramFailed(
        f"{module} ended with code {code} without saying why; its last lines: {said}", permanent=False
    )


def _seal(result: Path) -> Path:
    """Where the spec that made `result` is noted: beside it, since a finished result is not touched."""
    return result.with_name(f".{result.name}.spec")


def _is_finished(result: Path, spec: dict[str, Any]) -> bool:
    try:
        if json.loads(_seal(result).read_text()) != spec:
            return False
        program.verify_manifest(result)
    except (OSError, ValueError):
        return False
    return True


def _clear(result: Path) -> None:
    """Remove a result of another spec, or a damaged one: a program leaves a folder alone that exists."""
    _seal(result).unlink(missing_ok=True)
    if result.exists():
        shutil.rmtree(result)


def _verified(module: str, result: Path, spec: dict[str, Any]) -> Path:
    try:
        program.verify_manifest(result)
    except (OSError, ValueError) as error:
        raise ProgramFailed(f"{module} ended without a whole result ({error})", permanent=False) from error
    _seal(result).write_text(json.dumps(spec, ensure_ascii=False))
    return result
