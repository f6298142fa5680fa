from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


ENDED = (State.DONE, State.FAILED, State.CANCELLED)


class Resource(models.TextChoices):
    """What a job mostly uses; also the name of the Celery queue that wakes its workers."""

    CPU = "cpu", _("processor")
    GPU = "gpu", _("graphics processor")
    IO = "io", _("disk and network")


class Job(models.Model):
    """One piece of work that outlives a request. Only jobs.services writes here."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=64)
    subject_type = models.ForeignKey(ContentType, null=True, blank=True, on_delete=models.CASCADE)
    subject_id = models.CharField(max_length=64, blank=True)
    subject = GenericForeignKey("subject_type", "subject_id")
    scope = models.UUIDField(
        null=True, blank=True, db_index=True
    )  # the project, which this app does not know
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    resource = models.CharField(max_length=8, choices=Resource.choices, default=Resource.CPU)
    # One job per key, whatever its state: asking twice for the same thing gives the same row.
    key = models.CharField(max_length=200, unique=True, null=True, blank=True)

    progress = models.FloatField(default=0.0)
    progress_text = models.CharField(max_length=200, blank=True)
    eta_seconds = models.FloatField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)

    attempts = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    token = models.CharField(max_length=32, blank=True)  # of the attempt that owns the job now
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    available_at = models.DateTimeField(default=timezone.now)  # not started before
    sent_at = models.DateTimeField(null=True, blank=True)  # when a worker was last woken for it
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)  # of the current attempt
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["scope", "-id"], name="jobs_job_scope_newest"),
            models.Index(fields=["subject_type", "subject_id"], name="jobs_job_subject"),
            # Sweeper and workers look at open jobs only; they are few however many have ended.
            models.Index(
                fields=["state", "resource", "available_at"],
                condition=models.Q(state__in=["queued", "running"]),
                name="jobs_job_open",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(progress__gte=0.0, progress__lte=1.0), name="jobs_job_progress_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"

    def get_absolute_url(self) -> str:
        return reverse("jobs:detail", args=[self.uuid])

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def percent(self) -> int:
        return int(self.progress * 100)


class JobLog(models.Model):
    """One line of a job's log."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log_lines")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class JobMetric(models.Model):
    """Figures at one step of a job (loss, samples per second), for its live curve."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="metrics")
    step = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)
    values = models.JSONField()

    class Meta:
        ordering = ["job", "step"]
        constraints = [models.UniqueConstraint(fields=["job", "step"], name="jobs_jobmetric_step")]

    def __str__(self) -> str:
        return f"step {self.step}"
