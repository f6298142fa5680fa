"""Clearing away what dead attempts left on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from jobs.models import Job

_KEEP_DAYS = 14  # the folder of a failed job, whose checkpoints a person may still want to go on from
_PARTIAL_SECONDS = 24 * 3600  # a copy that is half a day old is nobody's any more; a day, to be safe


def clean() -> int:
    """Remove work folders of jobs that are gone or ended long ago, and halves of copies. Returns how many."""
    removed = 0
    for folder in [*_old_work(), *_partial_copies()]:
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


def _partial_copies() -> Iterator[Path]:
    before = time.time() - _PARTIAL_SECONDS
    for folder in (Path(settings.DATA_DIR) / "artifacts").glob("*/.*.tmp-*"):
        if folder.stat().st_mtime < before:
            yield folder
