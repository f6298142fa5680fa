"""Signals of this app. A lost one costs minutes, never a result: whoever listens also looks at the tick."""

from __future__ import annotations

from django.dispatch import Signal

# Sent after commit when a job is done, failed for good, or cancelled. Arguments: sender=Job, job (fresh from
# the database).
job_finished = Signal()
