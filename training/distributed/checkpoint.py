"""Checkpoints that can be trusted: sealed when whole, found again newest first, damaged ones passed over.

A training process can be killed at any moment, also while it writes. So a checkpoint folder counts only once
it
has been sealed: a marker file, written last and by rename, lists every file with its size and SHA-256.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from jobs.program import file_sha256

MARKER = "whole.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(folder: Path, key: str) -> None:
    """Flush every file of `folder` to disk and mark it whole. Call it when all ranks have written.

    Args:
        key: says what was trained (data, settings); `newest` gives only checkpoints of the same key.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MARKER:
            _flush(path)
            files[path.relative_to(folder).as_posix()] = {
                "bytes": path.stat().st_size,
                "sha256": file_sha256(path),
            }
    draft = folder / f".{MARKER}"
    draft.write_text(json.dumps({"spec_version": 1, "key": key, "files": files}, indent=1))
    _flush(draft)
    draft.rename(folder / MARKER)
    _flush(folder)


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


def newest(folders: Iterable[Path], key: str) -> Path | None:
    """The whole checkpoint of the highest step among the checkpoint-<step> folders in `folders`; None if none
    is.

    A damaged one is passed over for the next older. Of one step in two folders the later written is taken.
    """
    found = [
        (int(match[1]), path.stat().st_mtime_ns, path)
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name)) and path.is_dir()
    ]
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


def discard_unsealed(folder: Path) -> None:
    """Remove the checkpoints in `folder` that were never sealed: half written, they give their space back."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and not (path / MARKER).is_file():
                shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
