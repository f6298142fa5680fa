from __future__ import annotations

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs.errors import Cancelled, Lost
from jobs.models import Job, JobMetric, State
from jobs.services import jobs, pulse
from jobs.services.pulse import Pulse

pytestmark = pytest.mark.django_db


@pytest.fixture
def job():
    return Job.objects.create(
        kind="jobs.check_worker", state=State.RUNNING, token="mine", heartbeat_at=timezone.now()
    )


def beat_now(one):
    one._last_beat = 0.0
    one.check()


def test_it_writes_progress_log_and_metrics_with_a_beat(job):
    with Pulse(job.pk, "mine") as one:
        one.set(progress=0.25, progress_text="reading")
        one.log("first\nsecond")
        one.metric(10, {"loss": 0.5})
        one.metric(10, {"speed": 7.0})
        beat_now(one)
    job.refresh_from_db()
    assert (job.progress, job.progress_text) == (0.25, "reading")
    assert [line.text for line in job.log_lines.all()] == ["first", "second"]
    assert JobMetric.objects.get(job=job, step=10).values == {"loss": 0.5, "speed": 7.0}


def test_it_lets_a_resumed_training_repeat_a_step(job):
    for loss in (0.5, 0.4):
        with Pulse(job.pk, "mine") as one:
            one.metric(10, {"loss": loss})
    assert [metric.values for metric in job.metrics.all()] == [{"loss": 0.4}]


def test_it_writes_what_is_left_when_the_attempt_ends(job):
    with Pulse(job.pk, "mine") as one:
        one.log("last words")
    assert [line.text for line in job.log_lines.all()] == ["last words"]


def test_it_stops_an_attempt_whose_token_is_no_longer_the_jobs(job):
    with Pulse(job.pk, "mine") as one:
        Job.objects.filter(pk=job.pk).update(token="another's")
        with pytest.raises(Lost):
            beat_now(one)
    assert one.is_lost


def test_it_stops_a_cancelled_attempt(job):
    with Pulse(job.pk, "mine") as one:
        Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
        with pytest.raises(Cancelled):
            beat_now(one)


def test_it_gives_up_by_itself_when_it_could_not_beat_for_too_long(job, monkeypatch):
    def fail(self, *args):
        raise OperationalError("locked")

    with Pulse(job.pk, "mine") as one:
        one.log("kept")
        with monkeypatch.context() as patch:
            patch.setattr(Pulse, "_write", fail)
            with pytest.raises(Lost):
                beat_now(one)
        assert [line.text for line in one._lines] == ["kept"]


def test_it_puts_a_job_back_uncounted_when_the_worker_shuts_down(kind, monkeypatch):
    def work(ctx):
        pulse.shutting_down.set()
        ctx.check()

    job = jobs.enqueue(kind(work))
    try:
        assert jobs.run(job.pk)
    finally:
        pulse.shutting_down.clear()
    job.refresh_from_db()
    assert (job.state, job.attempts, job.token) == (State.QUEUED, 0, "")


def test_it_bounds_the_log(job, monkeypatch):
    monkeypatch.setattr(pulse, "MAX_LINES", 3)
    with Pulse(job.pk, "mine") as one:
        for number in range(10):
            one.log(f"line {number} \x00")
        one.log("x" * 5000)
    lines = [line.text for line in job.log_lines.all()]
    assert lines == ["line 0 �", "line 1 �", "(more than 3 lines: the rest is cut)"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_beats_from_its_own_thread_outside_a_transaction(kind):
    import time

    def work(ctx):
        before = Job.objects.get(pk=ctx.job.pk).heartbeat_at
        ctx.progress(1, 2, "half")
        time.sleep(1.5)
        after = Job.objects.get(pk=ctx.job.pk)
        return {"beaten": after.heartbeat_at > before, "progress": after.progress}

    job = jobs.enqueue(kind(work))
    jobs.drain()
    job.refresh_from_db()
    assert job.result == {"beaten": True, "progress": 0.5}
