"""A model judged on frozen test items against the deployed one, and what was decided."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .model import ModelVersion


class Evaluation(models.Model):
    """`figures`: the evaluate program's result.json (accuracy, macro_f1, per class, ECE, reliability,
    confusion).
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="evaluations")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="evaluations")
    baseline = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluations_as_baseline"
    )
    dataset = models.ForeignKey(
        "annotation.DatasetVersion", on_delete=models.PROTECT, related_name="evaluations"
    )
    artifact = models.ForeignKey(
        "jobs.Artifact", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    figures = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["model", "dataset"], name="evaluation_once")]

    def __str__(self) -> str:
        return f"{self.model} · {self.dataset}"


class Comparison(models.Model):
    """A model that went on from the deployed one beside one that learnt the same dataset from its base model, on
    the same test items. `figures`: the evaluate program's result.json, the second being its baseline.
    """

    class Why(models.TextChoices):
        BETTER = "better", _("clearly better on the test items")
        CHEAPER = "cheaper", _("no clear difference on the test items, and cheaper to train")
        FEW = "few", _("too few test items to tell, and cheaper to train")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="comparisons")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="comparisons")
    fresh = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="comparisons_as_fresh")
    dataset = models.ForeignKey(
        "annotation.DatasetVersion", on_delete=models.PROTECT, related_name="comparisons"
    )
    chosen = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=10, choices=Why.choices)
    figures = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "fresh", "dataset"], name="comparison_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model} / {self.fresh}"

    @property
    def passed_over(self) -> ModelVersion:
        """The one that was not chosen."""
        return self.fresh if self.chosen_id == self.model_id else self.model


class Decision(models.Model):
    """What became of a model, and why. An engineer's decision is a further row; the newest one holds."""

    class Action(models.TextChoices):
        DEPLOY = "deploy", _("deploy")
        KEEP = "keep", _("keep the deployed one")

    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="decisions")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="decisions")
    evaluation = models.ForeignKey(
        Evaluation, null=True, blank=True, on_delete=models.PROTECT, related_name="decisions"
    )
    action = models.CharField(max_length=10, choices=Action.choices)
    proven = models.BooleanField()
    reason = models.TextField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )  # null: by the rule
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.model}: {self.action}"
