"""`manage.py tick`: the scheduler."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from jobs import program
from jobs.services import ticking


class Command(BaseCommand):
    help = "Run the scheduler: everything periodic. A second one waits until the first is gone."

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get("GYRE_LEASH"):
            program.hold_leash()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        ticking.run(stop, on_lead=lambda: self.stdout.write("scheduler: leading"))
