from __future__ import annotations

import os
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.models import Job, State
from jobs.services import artifacts, cleaning

pytestmark = pytest.mark.django_db


def test_it_removes_what_is_old_or_nobodys_and_keeps_the_rest(data_dir):
    now = timezone.now()
    fields = {"kind": "jobs.check_worker", "state": State.FAILED}
    running = Job.objects.create(kind="jobs.check_worker", state=State.RUNNING)
    recent = Job.objects.create(**fields, finished_at=now - timedelta(days=1))
    old = Job.objects.create(**fields, finished_at=now - timedelta(days=15))
    work = data_dir / "work"
    for name in (running.uuid, recent.uuid, old.uuid, uuid4(), "static-bundles"):
        (work / str(name)).mkdir()
    assert cleaning.clean() == 2
    assert {entry.name for entry in work.iterdir()} == {str(running.uuid), str(recent.uuid), "static-bundles"}


def test_it_removes_scratch_folders_after_a_day(data_dir):
    old, new = artifacts.scratch(), artifacts.scratch()
    half = old.with_name(f".{artifacts.scratch().name}.tmp-1")
    for folder in (old, new, half, data_dir / "work" / "static-bundles"):
        folder.mkdir()
    for folder in (old, half, data_dir / "work" / "static-bundles"):
        os.utime(folder, (0, 0))
    assert cleaning.clean() == 2
    assert {entry.name for entry in (data_dir / "work").iterdir()} == {new.name, "static-bundles"}


def test_it_removes_halves_of_copies_after_a_day(data_dir):
    models = data_dir / "artifacts" / "model"
    for name in (".abc.tmp-1", ".def.tmp-2", "whole"):
        (models / name).mkdir(parents=True)
    os.utime(models / ".abc.tmp-1", (0, 0))
    os.utime(models / "whole", (0, 0))
    assert cleaning.clean() == 1
    assert {entry.name for entry in models.iterdir()} == {".def.tmp-2", "whole"}
