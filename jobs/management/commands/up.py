"""`manage.py up`: web, worker and scheduler with one command, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from jobs.services import static, supervision

_READY_SECONDS = 60.0


class Command(BaseCommand):
    help = "Start Gyre: migrate, then run web, worker and scheduler under one supervisor until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        port_error = supervision.port_error(settings.HOST, settings.PORT)
        if port_error:
            raise CommandError(port_error)
        self._prepare()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        group = supervision.start(Path(settings.DATA_DIR), settings.BASE_DIR)
        try:
            if self._wait_until_ready(group, stop):
                self._greet()
            while not stop.wait(0.5) and group.poll() is None:
                pass
            if not stop.is_set():
                raise CommandError(f"the supervisor ended by itself: read {settings.DATA_DIR / 'logs'}")
        finally:
            self.stdout.write("\nstopping …")
            supervision.stop(group)
        self.stdout.write("stopped")

    def _prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        static.collect()
        # the second: a first start that was stopped half way is taken up again
        fresh = not User.objects.exists() or (settings.DATA_DIR / "demo-unfinished").exists()
        if fresh and settings.DEMO and "create_demo" in get_commands():
            self.stdout.write("first start: making the demo projects (about a minute) …")
            call_command("create_demo", stdout=self.stdout)

    def _wait_until_ready(self, group: Any, stop: threading.Event) -> bool:
        until = time.monotonic() + _READY_SECONDS
        while not stop.is_set() and group.poll() is None:
            if _answers(f"{_address()}healthz"):
                return True
            if time.monotonic() > until:
                log = settings.DATA_DIR / "logs" / "web.log"
                raise CommandError(f"the web server did not answer within {_READY_SECONDS:g} s: read {log}")
            stop.wait(0.2)
        return False

    def _greet(self) -> None:
        accounts = settings.DATA_DIR / "demo-accounts.txt"
        lines = ["", f"Gyre is ready:  {_address()}", ""]
        if accounts.exists():
            lines += [accounts.read_text().rstrip(), ""]
        elif not User.objects.exists():
            lines += [
                "Nobody can sign in yet. In a second terminal: .venv/bin/python manage.py createsuperuser",
                "",
            ]
        if settings.HOST not in ("127.0.0.1", "localhost", "::1") and accounts.exists():
            lines += [
                "Warning: others can reach this address: deactivate the demo accounts before real work.",
                "",
            ]
        self.stdout.write("\n".join([*lines, f"Logs: {settings.DATA_DIR / 'logs'}   Stop: Ctrl-C"]))
        self.stdout.flush()


def _address() -> str:
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::", "") else settings.HOST
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}/"


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of loopback
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 400  # ALLOWED_HOSTS without loopback: it serves, only not this name
    except OSError:
        return False
