"""The store of finished result folders, named by their content."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from jobs import program
from jobs.errors import BrokenArtifact
from jobs.models import Artifact

_SCRATCH = "scratch-"


def store(folder: Path, kind: str) -> Artifact:
    """Move a finished result folder into the store and return its row; equal content is kept once.

    The folder must match its manifest (jobs/program.py makes it so). Until the move is complete nothing in
    the store has changed, so a full disk leaves what was there before.

    Raises:
        BrokenArtifact: a file is missing or differs from the manifest.
    """
    folder = Path(folder)
    manifest = _check(folder)
    digest = program.file_sha256(folder / program.MANIFEST)
    target = _home(kind, digest)
    try:
        os.utime(target)  # in use again: nothing may collect it now
    except FileNotFoundError:
        _move(folder, target)
        os.utime(target)  # a folder that took a day to make is not an old one
    if folder.exists():
        shutil.rmtree(folder)
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    with transaction.atomic():
        artifact, _made = Artifact.objects.get_or_create(
            kind=kind, sha256=digest, defaults={"bytes": size, "url": target.as_uri()}
        )
    return artifact


def scratch() -> Path:
    """A new place for a folder that is made in this process and stored; what is left of it is cleaned away."""
    return Path(settings.DATA_DIR) / "work" / f"{_SCRATCH}{secrets.token_hex(8)}"


def scratch_folders() -> Iterator[Path]:
    """What of such folders lies there, whole or half made."""
    work = Path(settings.DATA_DIR) / "work"
    for pattern in (f"{_SCRATCH}*", f".{_SCRATCH}*"):
        yield from (found for found in work.glob(pattern) if found.is_dir())


def path(artifact: Artifact) -> Path:
    """The artifact's folder.

    Raises:
        BrokenArtifact: it is not there.
    """
    folder = _home(artifact.kind, artifact.sha256)
    if not folder.is_dir():
        raise BrokenArtifact(
            _(
                "The files of %(artifact)s are not in %(folder)s: restore them from a backup, "
                "or run the job again."
            )
            % {"artifact": artifact, "folder": folder}
        )
    return folder


def open_verified(artifact: Artifact) -> Path:
    """The artifact's folder after every file was hashed and compared; for what must not be wrong, such as a
    deploy.

    Raises:
        BrokenArtifact: a file is missing or changed.
    """
    folder = path(artifact)
    _check(folder)
    if program.file_sha256(folder / program.MANIFEST) != artifact.sha256:
        raise BrokenArtifact(
            _("The manifest of %(artifact)s was changed: run the job again.") % {"artifact": artifact}
        )
    return folder


def _home(kind: str, digest: str) -> Path:
    # From the settings and not from the row's URL: a data folder that was moved or restored elsewhere still
    # works.
    return Path(settings.DATA_DIR) / "artifacts" / kind / digest


def _check(folder: Path) -> dict[str, dict[str, dict[str, int]]]:
    try:
        program.verify_manifest(folder)
        manifest: dict[str, dict[str, dict[str, int]]] = json.loads((folder / program.MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BrokenArtifact(str(error)) from error
    return manifest


def _move(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`; across file systems by a copy beside it, renamed when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _rename(folder, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = target.with_name(f".{target.name}.tmp-{os.getpid()}")
        try:
            shutil.copytree(folder, copy)
            program.verify_manifest(copy)
            _rename(copy, target)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    for file in target.rglob("*"):
        if file.is_file():
            file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)


def _rename(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # somebody stored the same content just now
            raise
