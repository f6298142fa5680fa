"""Finished runs of a long benchmark, kept as they come, so that one that was cut off goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Kept:
    """Runs in a file of one JSON line each.

    Args:
        path: the file; made with the first run that ends.
        resume: take up what the file has; otherwise every run is made again, and its line replaces the old
            one.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._runs = dict(_lines(path)) if resume and path.is_file() else {}

    def found(self, key: dict[str, Any]) -> Any | None:
        """What this very run gave before, or None."""
        return self._runs.get(_name(key))

    def keep(self, key: dict[str, Any], value: Any) -> None:
        """Write a finished run down at once."""
        self._runs[_name(key)] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"name": _name(key), "key": key, "value": value}, ensure_ascii=False) + "\n"
            )
            file.flush()
            os.fsync(file.fileno())


def _name(key: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]


def _lines(path: Path) -> Iterable[tuple[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the end of a line that a kill cut off
        yield entry["name"], entry["value"]


def fingerprint(root: Path, patterns: Iterable[str]) -> str:
    """Hash of the files that a run depends on: with other code or data it is another run."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
