"""Warm refreshes: a linear head fitted again as labels arrive, and the free part of the batch picked by it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .round import Round


class RefreshPolicy(models.Model):
    """Whether and how often a project's batch is picked again while people label it; without a row, these
    defaults.
    """

    project = models.OneToOneField(
        "annotation.Project", on_delete=models.CASCADE, related_name="refresh_policy"
    )
    is_on = models.BooleanField(_("refresh while people label"), default=True)
    labels = models.PositiveIntegerField(_("new labels needed"), default=25)
    seconds = models.PositiveIntegerField(_("seconds between two at least"), default=30)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(labels__gte=1), name="refreshpolicy_some_labels")
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.labels}"


class Refresh(models.Model):
    """One that was done: from how many labels, over how many items, and how many slots it has changed."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="refreshes")
    number = models.PositiveIntegerField()
    job = models.ForeignKey("jobs.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    picks = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    labels = models.PositiveIntegerField()
    pool = models.PositiveBigIntegerField()
    replaced = models.PositiveIntegerField()  # items of the batch that others took the place of
    kept = models.PositiveIntegerField()  # items that stayed, at a new place
    seconds = models.FloatField()
    switch_s = models.FloatField()  # of the longest transaction that people may have waited for
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["round", "number"], name="refresh_number")]

    def __str__(self) -> str:
        return f"{self.round}: {self.number}"
