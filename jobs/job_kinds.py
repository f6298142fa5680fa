"""Job kinds of this app itself."""

from __future__ import annotations

import time

from django.utils.translation import gettext_lazy as _

from accounts.services import notices
from jobs import registry
from jobs.services import cleaning, jobs, pacing
from jobs.services.context import JobContext


def check_worker(ctx: JobContext) -> dict[str, object]:
    """Do nothing for a while, with progress: shows whether broker, worker and scheduler work (`manage.py
    check_worker`).
    """
    steps = max(1, int(float(ctx.params.get("seconds", 1)) / 0.1))
    for step in range(steps):
        ctx.progress(step, steps, f"step {step + 1} of {steps}")
        time.sleep(0.1)
    ctx.log("the worker works")
    return {"attempt": ctx.attempt}


registry.register(
    "jobs.check_worker", check_worker, label=_("Check of the worker"), resource="cpu", max_attempts=10
)
registry.register_periodic("accounts.mail_notices", 60.0, notices.send_mails)
registry.register_periodic("accounts.forget_notices", 86400.0, notices.forget_old)
registry.register_periodic("jobs.copy_back", 1.0, pacing.copy_back)
registry.register_periodic("jobs.sweep", 2.0, jobs.sweep)
registry.register_periodic("jobs.clean", 3600.0, cleaning.clean)
