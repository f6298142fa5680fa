"""torchrun's agent, which holds the place where all meet, is killed: the job takes the run up again."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from bench._survival_runs import is_alive
from jobs.models import Job
from jobs.services import jobs
from tests import factories
from tests import training_kit as kit
from training.distributed import elastic
from training.learning import encoder
from training.models import ModelVersion
from training.services import runs


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_job_goes_on_from_the_checkpoint_when_the_agent_is_killed(
    tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = kit.tiny_encoder(tmp_path / "tiny")
    monkeypatch.setattr(encoder, "default_encoder_path", lambda: tiny)
    project = factories.make_project()
    dataset = factories.make_dataset(project, train=40, test=4)
    run = runs.launch(project, dataset, learner="finetune", settings={"epochs": 40.0, "batch_size": 8})
    work = Path(settings.DATA_DIR) / "work" / str(run.job.uuid) / "checkpoints"  # type: ignore[attr-defined]
    ranks: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 120
        while not any(work.glob("attempt-*/checkpoint-*/whole.json")) and time.monotonic() < until:
            time.sleep(0.02)
        ranks.extend(note.pid for note in elastic.newest_notes(work))
        os.kill(parent_of(ranks[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    jobs.drain()
    killer.join()
    job = Job.objects.get(pk=run.job.pk)
    assert (job.state, job.attempts) == ("done", 2), job.error
    model = ModelVersion.objects.get(run=run)
    assert model.figures["resumed_from_step"] >= 50
    assert [event["kind"] for event in model.figures["recovered"]] == ["lost"]
    assert not any(is_alive(pid) for pid in ranks)
    assert json.dumps(model.figures["recovered"]).count("the process was lost") == 1


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
