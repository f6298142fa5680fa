"""Telling faults of the machine from faults of the program, and saying them in a sentence."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

# EFBIG: a limit on the size of files stands in the way; for a person it is the same.
_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors and torch's own writer raise kinds of their own, with the system's words inside.
_SPACE_WORDS = (
    "os error 28",
    "os error 27",
    "os error 122",
    "no space left",
    "file too large",
    "failed writing",
    "enforce fail at inline_container.cc",
)
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_PEER_WORDS = (
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "gloo",
    "nccl",
    "timed out",
)


def out_of_space(error: BaseException, folder: Path) -> str | None:
    """One sentence if `error` says that a file could not be written for lack of space, else None."""
    for cause in _chain(error):
        text = str(cause).lower()
        if getattr(cause, "errno", None) in _SPACE or any(words in text for words in _SPACE_WORDS):
            return (
                f"the disk is full ({_free(folder)} free where {folder.parent} lies): free some space, "
                "then start the job again; what there was before is unchanged"
            )
    return None


def lost_peer(error: BaseException) -> bool:
    """Whether `error` only says that another rank is gone."""
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _PEER_WORDS)


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, the processor's or the card's."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _free(folder: Path) -> str:
    """Free space of the file system that holds `folder`, which need not exist."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 2**20:.0f} MB"
