from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from selection.strategies import registry


class SelectionConfig(AppConfig):
    name = "selection"

    def ready(self) -> None:
        """Add the deployment's strategies, register the job kinds and connect the app's signal receivers."""
        try:
            registry.add_from(settings.STRATEGY_MODULES)
        except ValueError as error:
            raise ImproperlyConfigured(f"STRATEGY_MODULES: {error}") from error
        for module in ("job_kinds", "receivers"):
            if find_spec(f"selection.{module}"):
                import_module(f"selection.{module}")
