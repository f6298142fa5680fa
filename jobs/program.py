"""The child's side of a heavy program: read one spec, print progress, write one result folder, die with the
parent.

A program is started as `python -m training.programs.finetune SPEC.json` (or under torchrun) by
`jobs.services.processes`. It knows no database and no Django. The contract, in four points:

* **Spec.** argv[1] names a JSON object. `result` in it is the folder to make; the rest is the program's own.
* **Result.** Everything is written to a folder beside `result` with a temporary name, then renamed: `result`
  either is whole or does not exist. `manifest.json` in it lists every file with its size and SHA-256.
* **Progress.** One JSON object a line on standard output with an "event": progress, metric, log or error.
  Every other line is taken as log text.
* **Leash.** Standard input is a pipe that the parent holds open. When it closes (parent gone, even by kill
  -9) the program exits at once with `EXIT_ORPHANED`, so a killed worker leaves nothing running.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import secrets
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

EXIT_REFUSED = 2  # the spec or its data cannot be worked with; trying again would fail again
EXIT_ORPHANED = 75  # the parent is gone

# Of all processes of a deployment, unless a person has set it; OpenMP reads it when torch or FAISS is loaded, so
# it must be there before. A thread that waits for another spins for some ten milliseconds by default, which
# keeps the other from running wherever cores are shared: training beside one more busy process took ten times
# as long. A thousand turns, some twenty microseconds, are enough for threads that do run side by side. It counts
# for more than OMP_WAIT_POLICY.
ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}

MANIFEST = "manifest.json"


class Refused(Exception):
    """The input cannot be worked with. The message is one sentence for a person; a retry would not help."""


Sink = Callable[[dict[str, Any]], None]
_sink: ContextVar[Sink | None] = ContextVar("program_events", default=None)


@contextmanager
def events_to(sink: Sink) -> Iterator[None]:
    """Hand events to `sink` instead of printing them; for a program called in its parent's process."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def emit(event: str, **fields: Any) -> None:
    """Print one event line and flush it, so that the parent sees it now."""
    sink = _sink.get()
    if sink is not None:
        sink({"event": event, **fields})
        return
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def progress(done: float, total: float, text: str = "") -> None:
    """Report `done` of `total` units; `text` says what is being done."""
    emit("progress", done=done, total=total, text=text)


def metric(step: int, **values: float) -> None:
    """Report named figures at a training step (loss, samples_per_s, ...)."""
    emit("metric", step=step, **values)


def log(text: str) -> None:
    """Add one line to the job's log."""
    emit("log", text=text)


def hold_leash() -> None:
    """Exit the whole process as soon as standard input closes. Called once, at the start of a program.

    A terminal is left alone: a person who starts a program by hand holds no pipe.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return

    def wait() -> None:
        while os.read(0, 4096):
            pass
        end_launcher()
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=wait, name="leash", daemon=True).start()


def end_launcher(how: int = signal.SIGTERM) -> None:
    """Have torchrun's agent end; it would start a process again that leaves with a code. Nothing without one.

    Args:
        how: the signal; one of its own tells the agent why.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and os.getppid() > 1:
        with suppress(OSError):
            os.kill(os.getppid(), how)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path) -> dict[str, Any]:
    """Write manifest.json for all files under `folder` and return it; its own entry is left out."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    manifest = {"spec_version": 1, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
    return manifest


def verify_manifest(folder: Path) -> None:
    """Check every file of `folder` against its manifest.

    Raises:
        ValueError: a file is missing or its bytes differ; the message names it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{folder} has no {MANIFEST}: it was not written whole; run the job again")
    for name, entry in json.loads(path.read_text())["files"].items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{folder} lacks {name}, which its manifest lists: run the job again")
        if file_sha256(file) != entry["sha256"]:
            raise ValueError(
                f"{name} in {folder} does not match its manifest (changed or damaged): run the job again"
            )


def _fsync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def result_folder(result: str | Path) -> Iterator[Path]:
    """Give a temporary folder; on leaving without an error write its manifest, fsync, and rename it to
    `result`.

    If `result` exists already (an earlier attempt finished and only its booking was lost) the new work is
    thrown away: the first whole result stands. On an error, a full disk among them, the temporary folder is
    removed and nothing that existed before has changed.
    """
    final = Path(result)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.tmp-{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        yield temporary
        write_manifest(temporary)
        _fsync_tree(temporary)
        if not final.exists():
            temporary.rename(final)
            parent = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_spec(path: str | Path) -> dict[str, Any]:
    """Read the spec file.

    Raises:
        Refused: it is not there, or not a JSON object.
    """
    try:
        spec = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"the spec {path} cannot be read ({error}): give the path of a JSON file") from error
    if not isinstance(spec, dict):
        raise Refused(f"the spec {path} holds {type(spec).__name__}, expected a JSON object")
    return spec


def start_quickly() -> None:
    """Called by a package of programs as it is imported: where that is to run one of them (`python -m`), old
    garbage is looked for less often. Importing torch and transformers makes a million objects that all stay, and
    going through them seven times was a seventh of a program's start.
    """
    if sys.argv[0] == "-m":  # while Python looks for the module to run
        youngest, young, _old = gc.get_threshold()
        gc.set_threshold(youngest, young, 100)


def main(work: Callable[[dict[str, Any]], None]) -> NoReturn:
    """`run`, then leave at once: taking down an interpreter with torch in it takes half a second for nothing,
    since the result is on the disk and every line is out. A rank that makes room for its heirs has as little
    to take down.
    """
    try:
        code = run(work)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(work: Callable[[dict[str, Any]], None], argv: list[str] | None = None) -> int:
    """What every program's `__main__` does: leash, spec, `work(spec)`, exit code.

    0 when `work` returned; EXIT_REFUSED after `Refused`; 1 after any other error, whose traceback goes to the
    log.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        emit("error", message=f"found {len(arguments)} arguments, expected one: the path of a spec file")
        return EXIT_REFUSED
    hold_leash()
    try:
        work(read_spec(arguments[0]))
    except Refused as error:
        emit("error", message=str(error))
        end_launcher()
        return EXIT_REFUSED
    except Exception as error:  # the outermost loop: record, then fail with a code
        for line in traceback.format_exc().splitlines():
            log(line)
        emit("error", message=f"{type(error).__name__}: {error}")
        end_launcher()
        return 1
    return 0
