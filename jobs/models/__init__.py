"""Background work as rows: what is to be done, how far it is, what came of it."""

from __future__ import annotations

from jobs.models.artifact import Artifact
from jobs.models.job import Job, JobLog, JobMetric, Resource, State
from jobs.models.tick import TickLease

__all__ = ["Artifact", "Job", "JobLog", "JobMetric", "Resource", "State", "TickLease"]
