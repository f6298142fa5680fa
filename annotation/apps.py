from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "annotation"

    def ready(self) -> None:
        """Register the job kinds and connect the signal receivers of the app."""
        for module in ("job_kinds", "notice_kinds", "receivers"):
            if find_spec(f"annotation.{module}"):
                import_module(f"annotation.{module}")
