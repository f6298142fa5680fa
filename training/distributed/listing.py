"""Folders that another process may remove while this one looks."""

from __future__ import annotations

import os
from pathlib import Path


def names(folder: Path) -> list[str]:
    """What lies in a folder, in no order; nothing where there is none. `Path.glob` and `iterdir` fail where it
    goes between their look at it and their reading of it (Python 3.11).
    """
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
