"""App configs of the project itself: system checks, and the admin site that replaces Django's own."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Gyre"

    def ready(self) -> None:
        from config import celery, checks  # noqa: F401  (importing them makes the app known and registers the checks)


class GyreAdminConfig(AdminConfig):
    default_site = "config.admin_site.GyreAdminSite"
