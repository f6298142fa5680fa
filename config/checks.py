"""System checks: a setting that would fail late, with a riddle, fails at the start, with a sentence."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

_BROKERS = {"filesystem", "redis", "rediss", "amqp", "amqps", "memory"}
_DATABASES = {"config.sqlite", "django.db.backends.postgresql"}
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver"}

Check = Callable[..., Sequence[CheckMessage]]


def _register(check: Check) -> Check:
    register(check)
    return check


@_register
def data_dir(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Everything that must last goes there; a read-only mount would show at the first label."""
    folder = Path(settings.DATA_DIR)
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"DATA_DIR={folder} cannot be written to.",
            hint="Give this user the right to write there, or set DATA_DIR to another folder.",
            id="config.E001",
        )
    ]


@_register
def database(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The queue relies on what these two can do."""
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine in _DATABASES:
        return []
    return [
        Error(
            f"DATABASE_URL names {engine}, expected SQLite or PostgreSQL.",
            hint="Use postgres://user:password@host:5432/name, or leave it out for SQLite.",
            id="config.E002",
        )
    ]


@_register
def broker(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A wrong broker shows only when the first job waits for ever."""
    scheme = urlsplit(settings.CELERY_BROKER_URL).scheme
    if scheme not in _BROKERS:
        return [
            Error(
                f"CELERY_BROKER_URL begins with “{scheme}”, expected redis://, amqp:// or filesystem://.",
                hint="For example redis://localhost:6379/0; leave it out for a broker made of files.",
                id="config.E003",
            )
        ]
    if scheme in ("redis", "rediss") and importlib.util.find_spec("redis") is None:
        return [Error("The redis client is not installed.", hint="Run `make setup`.", id="config.E003")]
    return []


@_register
def jobs(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Heartbeats come each second and may be late by a lock: a shorter patience runs jobs twice."""
    found = []
    if settings.JOBS_STALE_SECONDS < 3:
        found.append(
            Error(
                f"JOBS_STALE_SECONDS={settings.JOBS_STALE_SECONDS:g} is too short, expected at least 3.",
                hint="Heartbeats come each second; 10 is the default.",
                id="config.E004",
            )
        )
    if not 0.1 <= settings.JOBS_TICK_SECONDS <= 60:
        found.append(
            Error(
                f"JOBS_TICK_SECONDS={settings.JOBS_TICK_SECONDS:g} is out of range, expected 0.1 to 60.",
                hint="1 is the default.",
                id="config.E005",
            )
        )
    if not 0 <= settings.WORKER_NICE <= 19:
        found.append(
            Error(
                f"WORKER_NICE={settings.WORKER_NICE} is out of range, expected 0 to 19.",
                hint="10 is the default; 0 lets jobs compete with the web server for the processor.",
                id="config.E009",
            )
        )
    return found


@_register
def web(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What a web server would notice late or never."""
    found: list[CheckMessage] = []
    if not 1 <= settings.PORT <= 65535:
        found.append(Error(f"PORT={settings.PORT} is out of range, expected 1 to 65535.", id="config.E006"))
    if settings.WEB_WORKERS < 1:
        found.append(Error(f"WEB_WORKERS={settings.WEB_WORKERS}, expected at least 1.", id="config.E007"))
    if len(settings.SECRET_KEY) < 32:
        found.append(
            Error(
                f"SECRET_KEY has {len(settings.SECRET_KEY)} characters, expected at least 32.",
                hint="Leave it out: a good one is made and kept in DATA_DIR/secret_key.",
                id="config.E008",
            )
        )
    outside = [host for host in settings.ALLOWED_HOSTS if host not in _LOOPBACK]
    if settings.DEBUG and outside:
        found.append(
            Warning(
                f"DEBUG is on and the site is reachable as {', '.join(outside)}: errors show its inside.",
                hint="Set DEBUG=False where others can reach it.",
                id="config.W001",
            )
        )
    if settings.HOST not in _LOOPBACK and not outside:
        found.append(
            Warning(
                f"HOST={settings.HOST} listens to others, but ALLOWED_HOSTS names loopback only.",
                hint="Set ALLOWED_HOSTS to the names under which people reach it.",
                id="config.W002",
            )
        )
    return found
