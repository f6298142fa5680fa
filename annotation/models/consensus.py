"""What was learnt of how right people are: one fit of a model of the labellers, and each person's part of it."""

from __future__ import annotations

from django.db import models

from .labeller import Labeller
from .project import Project


class ConsensusFit(models.Model):
    """One fit of Dawid and Skene's model (annotation.quality.consensus) to the answers of one field.

    `classes` and `prior` go together: how often each class is the true one. `last_annotation` is the id of the
    newest answer that it knows. Older fits stay as figures; the people's part of them goes.
    """

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="consensus_fits", db_index=False
    )
    field = models.CharField(max_length=40)
    classes = models.JSONField()
    prior = models.JSONField()
    pooled_accuracy = models.FloatField()
    smoothing = models.FloatField()
    items = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    known_items = models.PositiveIntegerField(default=0)  # whose class a reviewer or a gold item told
    iterations = models.PositiveIntegerField()
    converged = models.BooleanField()
    log_likelihood = models.FloatField()
    last_annotation = models.BigIntegerField(default=0)
    is_current = models.BooleanField(default=True)
    fitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "field"], condition=models.Q(is_current=True), name="consensusfit_current"
            )
        ]
        indexes = [models.Index(fields=["project", "field", "id"], name="consensusfit_of_field")]

    def __str__(self) -> str:
        return f"{self.project} · {self.field} · {self.answers}"


class LabellerSkill(models.Model):
    """How one person answers items of each class. `counts`: label they said -> true class -> how often, in
    expectation. `accuracy`: over all classes, shrunk to that of everybody."""

    fit = models.ForeignKey(ConsensusFit, on_delete=models.CASCADE, related_name="skills", db_index=False)
    labeller = models.ForeignKey(Labeller, on_delete=models.CASCADE, related_name="skills")
    accuracy = models.FloatField()
    counts = models.JSONField(default=dict)
    answers = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fit", "labeller"], name="labellerskill_once")]

    def __str__(self) -> str:
        return f"{self.labeller_id}: {self.accuracy:.2f}"
