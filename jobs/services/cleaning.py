"""Clearing away what dead attempts left on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from jobs.models import Job
from jobs.services import artifacts

_KEEP_DAYS = 14  # the folder of a failed job, whose checkpoints a person may still want to go on from
_UNFINISHED_SECONDS = 24 * 3600  # what is half a day old is nobody's any more; a day, to be safe


def clean() -> int:
    """Remove work folders of jobs that are gone or ended long ago, and what nobody finished within a day:
    scratch folders and halves of copies. Returns how many.
    """
    removed = 0
    for folder in [*_old_work(), *_unfinished()]:
        shutil.rmtree(folder, ignore_errors=True)
        removed += 1
    return removed


def _old_work() -> Iterator[Path]:
    folders = {}
    for folder in (Path(settings.DATA_DIR) / "work").iterdir():
        try:
            folders[UUID(folder.name)] = folder
        except ValueError:
            continue  # not a job's
    before = timezone.now() - timedelta(days=_KEEP_DAYS)
    kept = set(
        Job.objects.filter(uuid__in=folders).exclude(finished_at__lt=before).values_list("uuid", flat=True)
    )
    return (folder for uuid, folder in folders.items() if uuid not in kept)


def _unfinished() -> Iterator[Path]:
    before = time.time() - _UNFINISHED_SECONDS
    copies = (Path(settings.DATA_DIR) / "artifacts").glob("*/.*.tmp-*")
    for folder in [*copies, *artifacts.scratch_folders()]:
        with suppress(FileNotFoundError):  # it was stored a moment ago
            if folder.stat().st_mtime < before:
                yield folder
