"""A Gyre of a benchmark's own: its database and data folder, for this process and the programs it starts."""

from __future__ import annotations

import os
from pathlib import Path


def set_up(folder: Path) -> None:
    """Point this process at a new SQLite database in `folder`, with all tables; no broker."""
    os.environ |= {
        "DATA_DIR": str(folder),
        "TEST_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
        "CELERY_BROKER_URL": "memory://",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "WARNING",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
