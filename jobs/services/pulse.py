"""The pulse of one attempt: says each second that it lives, writes what it reports, and learns whether to
stop.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from jobs.errors import Cancelled, Lost
from jobs.models import Job, JobLog, JobMetric, State

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
MAX_LINES = 20_000  # log lines kept of one attempt
MAX_LINE = 2_000  # characters kept of one line

# Set when this worker process shuts down: every attempt in it stops and gives its job back.
shutting_down = threading.Event()


class Pulse:
    """Context manager around one attempt.

    It runs in a thread with its own database connection. Inside a transaction (a test, a command that wraps
    all) that thread could not see the row or would wait for the lock its own caller holds, so there it beats
    inline, from `check`, on the caller's connection.
    """

    def __init__(self, job_id: int, token: str) -> None:
        self.job_id = job_id
        self.token = token
        self._inline = connection.in_atomic_block
        self._lock = threading.Lock()
        self._fields: dict[str, Any] = {}
        self._lines: list[JobLog] = []
        self._metrics: dict[int, dict[str, Any]] = {}
        self._line_count = 0
        self._last_beat = time.monotonic()
        self._ended = threading.Event()
        self._stop: type[Cancelled] | type[Lost] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Pulse:
        if not self._inline:
            self._thread = threading.Thread(target=self._run, name=f"pulse-{self.job_id}", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._stop is not Lost:
            self._beat()

    def check(self) -> None:
        """Raise Cancelled or Lost if the attempt must stop; cheap, call it often."""
        if self._inline and time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self._beat()
        if self._stop is None and shutting_down.is_set():
            self._stop = Lost
        if self._stop is not None:
            raise self._stop

    @property
    def is_lost(self) -> bool:
        return self._stop is Lost

    def set(self, **fields: Any) -> None:
        """Columns of the job row to write with the next beat."""
        with self._lock:
            self._fields.update(fields)

    def log(self, text: str) -> None:
        """A line (or several) for the job's log."""
        with self._lock:
            for line in str(text).splitlines() or [""]:
                self._line_count += 1
                if self._line_count < MAX_LINES:
                    self._lines.append(JobLog(job_id=self.job_id, text=line[:MAX_LINE].replace("\x00", "�")))
                elif self._line_count == MAX_LINES:
                    self._lines.append(
                        JobLog(job_id=self.job_id, text=f"(more than {MAX_LINES} lines: the rest is cut)")
                    )

    def metric(self, step: int, values: dict[str, Any]) -> None:
        """Figures at a step; the last ones win, since a resumed training repeats steps."""
        with self._lock:
            self._metrics.setdefault(step, {}).update(values)

    def _run(self) -> None:
        try:
            while not self._ended.wait(BEAT_SECONDS):
                self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        with self._lock:
            fields, self._fields = self._fields, {}
            lines, self._lines = self._lines, []
            metrics, self._metrics = self._metrics, {}
        try:
            self._write(fields, lines, metrics)
            self._last_beat = time.monotonic()
        except DatabaseError as error:
            logger.warning("job %s: heartbeat failed (%s)", self.job_id, error)
            with self._lock:  # newer reports stand
                self._fields = fields | self._fields
                self._lines = lines + self._lines
                self._metrics = metrics | self._metrics
            if not self._inline:
                connection.close()
            # Silent for so long, the sweeper may have given the job away: stop before two attempts run.
            if time.monotonic() - self._last_beat > settings.JOBS_STALE_SECONDS:
                self._stop = Lost

    def _write(self, fields: dict[str, Any], lines: list[JobLog], metrics: dict[int, dict[str, Any]]) -> None:
        mine = Job.objects.filter(pk=self.job_id, token=self.token, state=State.RUNNING)
        with transaction.atomic():
            if not mine.update(heartbeat_at=timezone.now(), **fields):
                self._stop = Lost
                return
            JobLog.objects.bulk_create(lines, batch_size=500)
            JobMetric.objects.bulk_create(
                [JobMetric(job_id=self.job_id, step=step, values=values) for step, values in metrics.items()],
                batch_size=500,
                update_conflicts=True,
                unique_fields=["job", "step"],
                update_fields=["at", "values"],
            )
        if self._stop is None and mine.filter(cancel_requested_at__isnull=False).exists():
            self._stop = Cancelled
