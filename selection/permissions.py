"""Rounds are launched, stopped and read by engineers of the project."""

from __future__ import annotations

from training.permissions import may_cancel_job, may_see_job, may_train

may_run_rounds = may_train

__all__ = ["may_cancel_job", "may_run_rounds", "may_see_job"]
