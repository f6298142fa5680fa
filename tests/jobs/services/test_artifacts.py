from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jobs import program
from jobs.errors import BrokenArtifact
from jobs.models import Artifact
from jobs.services import artifacts

pytestmark = pytest.mark.django_db


def finished(folder: Path, text: str = "weights") -> Path:
    with program.result_folder(folder) as inside:
        (inside / "deep").mkdir()
        (inside / "deep" / "model.bin").write_text(text)
    return folder


def test_it_moves_a_folder_to_a_place_named_by_its_content(tmp_path, data_dir):
    folder = finished(tmp_path / "result")
    digest = program.file_sha256(folder / "manifest.json")
    artifact = artifacts.store(folder, "model")
    home = artifacts.path(artifact)
    assert home == data_dir / "artifacts" / "model" / digest
    assert (home / "deep" / "model.bin").read_text() == "weights"
    assert not folder.exists()
    assert (artifact.bytes, artifact.url) == (7, home.as_uri())


def test_a_scratch_folder_is_new_each_time_and_lies_in_the_work_folder(data_dir):
    first, second = artifacts.scratch(), artifacts.scratch()
    assert first != second and first.parent == data_dir / "work" and first.name.startswith("scratch-")
    assert not first.exists()
    finished(first)
    assert list(artifacts.scratch_folders()) == [first]
    artifacts.store(first, "model")
    assert list(artifacts.scratch_folders()) == []


def test_it_keeps_equal_content_once(tmp_path):
    first = artifacts.store(finished(tmp_path / "a"), "model")
    second = artifacts.store(finished(tmp_path / "b"), "model")
    assert first == second
    assert Artifact.objects.count() == 1
    assert list(tmp_path.glob("[ab]")) == []
    assert artifacts.store(finished(tmp_path / "c", "others"), "model") != first


def test_it_refuses_a_folder_that_differs_from_its_manifest(tmp_path, data_dir):
    folder = finished(tmp_path / "a")
    (folder / "deep" / "model.bin").write_text("spoilt")
    with pytest.raises(BrokenArtifact, match=r"deep/model.bin in .* does not match its manifest"):
        artifacts.store(folder, "model")
    assert not Artifact.objects.exists()
    assert folder.exists()


def test_it_refuses_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(BrokenArtifact, match="has no manifest.json: it was not written whole"):
        artifacts.store(tmp_path, "model")


def test_it_tells_when_stored_files_were_changed_or_are_gone(tmp_path):
    artifact = artifacts.store(finished(tmp_path / "a"), "model")
    file = artifacts.open_verified(artifact) / "deep" / "model.bin"
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            file.write_text("x")
    file.chmod(0o644)
    file.write_text("x")
    with pytest.raises(BrokenArtifact, match="does not match its manifest"):
        artifacts.open_verified(artifact)
    artifact.sha256 = "0" * 64
    with pytest.raises(BrokenArtifact, match="restore them from a backup, or run the job again"):
        artifacts.path(artifact)


def test_it_copies_whole_where_it_cannot_rename(tmp_path, monkeypatch):
    real = Path.rename

    def rename(self, target):
        if self.name == "a":
            raise OSError(errno.EXDEV, "another file system")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    artifact = artifacts.store(finished(tmp_path / "a"), "model")
    assert (artifacts.open_verified(artifact) / "deep" / "model.bin").read_text() == "weights"


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, data_dir):
    old = artifacts.store(finished(tmp_path / "old", "old"), "model")
    real = Path.rename

    def rename(self, target):
        if self.name == "new":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target)

    folder = finished(tmp_path / "new", "new")
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="No space left"):
        artifacts.store(folder, "model")
    assert [artifact.pk for artifact in Artifact.objects.all()] == [old.pk]
    assert (artifacts.open_verified(old) / "deep" / "model.bin").read_text() == "old"
    assert len(list((data_dir / "artifacts" / "model").iterdir())) == 1
