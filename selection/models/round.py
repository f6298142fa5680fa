"""One turn of the loop, with everything it used and produced, so that it can be replayed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Station(models.TextChoices):
    """The stations of a round, in order."""

    COLLECT = "collect", _("collect")
    FREEZE = "freeze", _("freeze")
    TRAIN = "train", _("train")
    EVALUATE = "evaluate", _("evaluate")
    DECIDE = "decide", _("decide")
    SCORE = "score", _("score")
    PICK = "pick", _("pick")
    PUBLISH = "publish", _("publish")


class Round(models.Model):
    """`spec` is a RoundSpec as JSON: strategy, batch size, shares, seed, learner, and their settings."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    spec = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    error = models.TextField(blank=True)
    dataset = models.ForeignKey(
        "annotation.DatasetVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    run = models.ForeignKey(
        "training.TrainingRun", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    model = models.ForeignKey(
        "training.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )  # the model that scored: the deployed one after the decision
    batch = models.ForeignKey(
        "annotation.Batch", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    picks = models.ForeignKey(
        "jobs.Artifact", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("round")
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number"),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state="running"), name="round_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.number}"


class RoundStation(models.Model):
    """Where a round stands at one station; `detail` says in figures what came out."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        SKIPPED = "skipped", _("skipped")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="stations")
    name = models.CharField(max_length=10, choices=Station.choices)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    job = models.ForeignKey("jobs.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    detail = models.JSONField(default=dict)
    note = models.TextField(blank=True)  # one sentence for people: why skipped, what came out
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["round", "name"], name="roundstation_once")]

    def __str__(self) -> str:
        return f"{self.round}: {self.name}"
