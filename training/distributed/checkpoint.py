"""Checkpoints that can be trusted: sealed when whole, found again newest first, damaged ones passed over.

A training process can be killed at any moment, also while it writes. So a checkpoint folder counts only once
it has been sealed: a marker file, written last and by rename, lists every file with its size and SHA-256.

Nothing here or in `checkpoint_writer` and `sharded` is ever unpickled: tensors lie in safetensors, the rest
in JSON. A checkpoint's tensors lie in one file or in a part of each rank (`sharded`); here that is the same.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.program import file_sha256
from training.distributed import listing

Files = dict[str, dict[str, Any]]  # name: {"bytes", "sha256"}

MARKER = "whole.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(folder: Path, key: str, files: Files | None = None) -> None:
    """Mark `folder` whole. Call it when all ranks have written.

    Args:
        key: says what was trained (data, settings); `newest` gives only checkpoints of the same key.
        files: what `read_back` found, of all ranks together; None: all files are read back here.

    Raises:
        OSError: no space, or the disk fails.
    """
    if files is None:
        names = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
        files = read_back(folder, dict.fromkeys((path.relative_to(folder).as_posix() for path in names), ""))
    draft = folder / f".{MARKER}"
    draft.write_text(json.dumps({"spec_version": 1, "key": key, "files": dict(files)}, indent=1))
    flush(draft)
    draft.rename(folder / MARKER)
    flush(folder)


def read_back(folder: Path, intended: Mapping[str, str]) -> Files:
    """Flush files of `folder` to the disk and read each back. Returns size and SHA-256 by name, for `seal`.

    Args:
        intended: SHA-256 of what was meant to be written, by file name; "" where it is not known.

    Raises:
        ValueError: a file reads back otherwise than it was written.
        OSError: no space, or the disk fails.
    """
    files: Files = {}
    for name, expected in sorted(intended.items()):
        path = folder / name
        flush(path)
        _forget(path)
        found = file_sha256(path)
        if expected not in ("", found):
            raise ValueError(
                f"{name} of {folder.name} reads back otherwise than it was written: "
                "the disk or the memory of this machine makes errors; have it checked"
            )
        files[name] = {"bytes": path.stat().st_size, "sha256": found}
    return files


def is_whole(folder: Path, key: str) -> bool:
    """Whether `folder` was sealed for `key` and every file still has its size and content.

    Sizes are looked at first, so that a file that was cut off costs nothing. Reads all files otherwise.
    """
    try:
        marker = json.loads((folder / MARKER).read_text())
        files = marker["files"]
        if marker["key"] != key or not files:
            return False
        if any((folder / name).stat().st_size != entry["bytes"] for name, entry in files.items()):
            return False
        return all(file_sha256(folder / name) == entry["sha256"] for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no marker, or one that was never written to its end


def newest(folders: Iterable[Path], key: str, step: int | None = None) -> Path | None:
    """The whole checkpoint of the highest step among the checkpoint-<step> folders in `folders`; None if none
    is.

    A damaged one is passed over for the next older. Of one step in two folders the later written is taken.

    Args:
        step: only one of this step will do.
    """
    found = []
    for path in [folder / name for folder in folders for name in listing.names(folder)]:
        match = _NAME.fullmatch(path.name)
        if match and path.is_dir() and step in (None, int(match[1])):
            with suppress(FileNotFoundError):  # an earlier attempt that still dies may remove its oldest
                found.append((int(match[1]), path.stat().st_mtime_ns, path))
    for _step, _time, path in sorted(found, reverse=True):
        if is_whole(path, key):
            return path
    return None


def step_of(checkpoint: Path) -> int:
    """The step in a checkpoint folder's name."""
    match = _NAME.fullmatch(checkpoint.name)
    if match is None:
        raise ValueError(f"found {checkpoint.name}, expected checkpoint-<step>")
    return int(match[1])


def draft_of(folder: Path, step: int) -> Path:
    """A new, empty folder beside where the checkpoint of `step` will stand; `publish` gives it its name."""
    draft = folder / f".checkpoint-{step}.tmp-{secrets.token_hex(4)}"
    draft.mkdir(parents=True)
    return draft


def publish(draft: Path, step: int) -> Path:
    """Give a sealed draft its name, checkpoint-<step>, in place of one that was there. Returns its path."""
    final = draft.parent / f"checkpoint-{step}"
    if final.exists():  # of an earlier pass over the same step
        shutil.rmtree(final)
    draft.rename(final)
    flush(final.parent)
    return final


def copy_to(checkpoint: Path, elsewhere: Path) -> Path:
    """Copy a sealed checkpoint into the folder `elsewhere`, whole or not at all. Returns the copy's path.

    Raises:
        ValueError: the copy reads back otherwise.
        OSError: no space there, or the place is gone.
    """
    step = step_of(checkpoint)
    draft = draft_of(elsewhere, step)
    try:
        shutil.copytree(checkpoint, draft, dirs_exist_ok=True)
        for path in draft.rglob("*"):
            flush(path)
            if path.is_file():
                _forget(path)
        if not is_whole(draft, json.loads((checkpoint / MARKER).read_text())["key"]):
            raise ValueError(f"the copy of {checkpoint.name} in {elsewhere} reads back otherwise")
        return publish(draft, step)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def rotate(folder: Path, *, keep: int, best: int | None = None) -> None:
    """Remove all sealed checkpoints in `folder` but the `keep` of the highest steps and that of step `best`.

    Called after a new one was published, so that there is never a moment without a whole one.
    """
    sealed = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and (path / MARKER).is_file()]
    for path in sorted(sealed, key=step_of)[: -keep or None]:
        if step_of(path) != best:
            (path / MARKER).unlink(missing_ok=True)  # first: what is half removed no longer counts
            shutil.rmtree(path, ignore_errors=True)


def discard_unsealed(folder: Path) -> None:
    """Remove the checkpoints in `folder` that were never sealed: half written, they give their space back."""
    if folder.is_dir():
        for path in folder.iterdir():
            is_draft = path.name.startswith(".checkpoint-")
            if is_draft or (_NAME.fullmatch(path.name) and not (path / MARKER).is_file()):
                shutil.rmtree(path, ignore_errors=True)


def _forget(path: Path) -> None:
    """Have the next reader of `path` read the disk and not what the system still holds of it in memory."""
    if hasattr(os, "posix_fadvise"):  # Linux
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def flush(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
