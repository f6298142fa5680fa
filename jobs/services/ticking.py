"""The scheduler: one process that does everything periodic, guarded by a row: a second one only waits."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from jobs import registry
from jobs.models import TickLease

logger = logging.getLogger(__name__)

_NAME = "tick"
_STALE_SECONDS = 10.0


def run(stop: threading.Event, *, on_lead: Callable[[], None] = lambda: None) -> None:
    """Do what is due, every JOBS_TICK_SECONDS, until `stop` is set; while another one leads, only wait."""
    token = secrets.token_hex(16)
    due: dict[str, float] = {}
    leads = False
    renewer = threading.Thread(target=_renew, args=(token, stop), name="tick-lease", daemon=True)
    renewer.start()
    while not stop.is_set():
        try:
            held = take(token)
        except DatabaseError as error:
            logger.warning("tick: the database does not answer (%s)", error)
            connection.close()
            held = False
        if held and not leads:
            on_lead()
        leads = held
        if leads:
            run_due(due, time.monotonic())
        stop.wait(settings.JOBS_TICK_SECONDS)
    renewer.join()
    release(token)


def take(token: str) -> bool:
    """Whether this scheduler leads: it holds the lease, or nobody has for a while and it has it now."""
    now = timezone.now()
    leases = TickLease.objects.filter(name=_NAME)
    if leases.filter(token=token).update(heartbeat_at=now):
        return True
    if leases.filter(heartbeat_at__lt=now - timedelta(seconds=_STALE_SECONDS)).update(
        token=token, heartbeat_at=now
    ):
        return True
    if leases.exists():
        return False
    try:
        with transaction.atomic():
            TickLease.objects.create(name=_NAME, token=token, heartbeat_at=now)
    except IntegrityError:
        return False  # another scheduler started in the same moment
    return True


def release(token: str) -> None:
    """Give the lease up, so that the next scheduler need not wait until it is stale."""
    TickLease.objects.filter(name=_NAME, token=token).delete()


def run_due(due: dict[str, float], now: float) -> list[str]:
    """Call what is due at `now` (seconds of a clock that only rises) and note in `due` when it is next.

    Work that raises is logged and comes again at its next turn; it does not stop the others.
    """
    called = []
    for periodic in list(registry.PERIODIC.values()):
        if now < due.get(periodic.name, 0.0):
            continue
        due[periodic.name] = now + periodic.every_seconds
        called.append(periodic.name)
        try:
            periodic.function()
        except Exception:  # the outermost loop: recorded, and tried again at its next turn
            logger.exception("periodic work %s failed", periodic.name)
            if not connection.in_atomic_block:
                connection.close()
    return called


def _renew(token: str, stop: threading.Event) -> None:
    """Keep the lease while a long piece of work runs in the main thread."""
    try:
        while not stop.wait(_STALE_SECONDS / 5):
            try:
                TickLease.objects.filter(name=_NAME, token=token).update(heartbeat_at=timezone.now())
            except DatabaseError as error:
                logger.warning("tick: the lease was not renewed (%s)", error)
                connection.close()
    finally:
        connection.close()
