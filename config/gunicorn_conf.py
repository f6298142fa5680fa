"""gunicorn: synchronous workers. Two of them had p99 49 ms under 32 clients where two with four threads had
159.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import settings  # noqa: E402  (the same readers of the environment as everywhere)

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_WORKERS
worker_class = "config.web_worker.Worker"
timeout = 120  # an upload of a large file
graceful_timeout = 5
accesslog = None
control_socket_disable = True  # it would lie in the home folder, one for all installations
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
forwarded_allow_ips = "127.0.0.1"


def _hold_leash() -> None:
    """Under the supervisor, end with it, even when it was killed with -9."""
    if os.environ.get("GYRE_LEASH"):
        from jobs.program import hold_leash

        hold_leash()


def when_ready(server: Any) -> None:
    _hold_leash()


def post_worker_init(worker: Any) -> None:
    _hold_leash()  # by itself a waiting worker looks for its parent only every minute
    _keep_what_is_loaded()


def _keep_what_is_loaded() -> None:
    """Load what the first request would, and let the garbage collector pass it over from then on: to look
    through all of it takes a tenth of a second, for which somebody waits.
    """
    import gc

    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018
    gc.collect()
    gc.freeze()
