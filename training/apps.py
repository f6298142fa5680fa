from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        """Register system checks and job kinds, and connect the signal receivers of the app."""
        for module in ("checks", "job_kinds", "receivers"):
            if find_spec(f"training.{module}"):
                import_module(f"training.{module}")
