"""The Celery application. A message only says "look at this job": the job row is the truth
(jobs/services/jobs.py).
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("gyre")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
