"""Collecting artifacts that nobody points to: folders of the store whose jobs, columns or rounds are gone."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, ProtectedError, QuerySet
from django.utils import timezone

from jobs.models import Artifact, Job

LEAST_DAYS = 1.0  # a job books its artifact a moment after it is stored; a day, to be safe
_HASH = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collected:
    """One folder that was removed, or would be."""

    kind: str
    sha256: str
    bytes: int


def collect(*, days: float = LEAST_DAYS, dry_run: bool = False) -> list[Collected]:
    """Remove artifacts older than `days` that no row and no job's result points to, with their files; and
    folders of the store that no row knows. With `dry_run` only say which.

    A folder that somebody stores again meanwhile stays: `artifacts.store` touches it. Costs one pass over the
    jobs that have a result.

    Raises:
        ValueError: less than a day, in which a job may still be about to book what it has stored.
    """
    if days < LEAST_DAYS:
        raise ValueError(
            f"found {days:g} days, expected at least {LEAST_DAYS:g}: a younger one may be in use"
        )
    named = _named_by_jobs()
    before = time.time() - days * 24 * 3600
    found = []
    for artifact in _unreferenced().filter(created_at__lt=timezone.now() - timedelta(days=days)):
        folder = _store() / artifact.kind / artifact.sha256
        if artifact.sha256 in named or _is_younger(folder, before):
            continue
        if dry_run or _remove(artifact, folder, before):
            found.append(Collected(artifact.kind, artifact.sha256, artifact.bytes))
    for folder in list(_unknown()):
        if folder.name in named or _is_younger(folder, before):
            continue
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if dry_run or _remove_folder(folder, before):
            found.append(Collected(folder.parent.name, folder.name, size))
    return found


def _unreferenced() -> QuerySet[Artifact]:
    """Artifacts that no foreign key of any app points to; a new model that has one is counted by itself."""
    found = Artifact.objects.order_by("pk")
    for relation in Artifact._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete:
            users = relation.related_model._default_manager.filter(**{relation.field.name: OuterRef("pk")})
            found = found.exclude(Exists(users))
    return found


def _named_by_jobs() -> set[str]:
    """Every hash in what jobs were given and have returned: some results are found by it alone."""
    rows = Job.objects.values_list("params", "result").iterator(chunk_size=2000)
    return {found for row in rows for found in _HASH.findall(json.dumps(row))}


def _unknown() -> Iterator[Path]:
    for folder in _store().glob("*/*"):
        known = Artifact.objects.filter(kind=folder.parent.name, sha256=folder.name)
        if _HASH.fullmatch(folder.name) and folder.is_dir() and not known.exists():
            yield folder


def _remove(artifact: Artifact, folder: Path, before: float) -> bool:
    """Take the row away and then its files; False where somebody points to it by now."""
    try:
        with transaction.atomic():
            if not _unreferenced().filter(pk=artifact.pk).delete()[0]:
                return False
            if _is_younger(folder, before):
                raise IntegrityError("it was stored again")
    except (ProtectedError, IntegrityError):
        logger.info("%s is kept: somebody has come to use it", artifact)
        return False
    return _remove_folder(folder, before)


def _remove_folder(folder: Path, before: float) -> bool:
    """Take a folder out of the store by one rename, and put it back if it was stored again just before."""
    gone = folder.with_name(f".{folder.name}.tmp-{os.getpid()}")  # cleaning finds what a crash leaves
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return True
    if _is_younger(gone, before):
        with suppress(OSError):  # it was stored once more meanwhile: what is left here is cleaned away
            gone.rename(folder)
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _is_younger(folder: Path, before: float) -> bool:
    try:
        return folder.stat().st_mtime >= before
    except FileNotFoundError:
        return False


def _store() -> Path:
    return Path(settings.DATA_DIR) / "artifacts"
