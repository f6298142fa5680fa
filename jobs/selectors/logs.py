"""Reading a job's log and curves, by pages: a log can be long."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import Job, JobLog, JobMetric

TAIL = 200


@dataclass(frozen=True)
class LogPage:
    """Lines in the order they were written. `older` is the number to ask for what came before; None at the
    start.
    """

    lines: list[JobLog]
    older: int | None


def page(job: Job, *, before: int | None = None, count: int = TAIL) -> LogPage:
    """The last `count` lines, or the last ones before the line numbered `before`."""
    lines = JobLog.objects.filter(job=job)
    if before is not None:
        lines = lines.filter(pk__lt=before)
    newest_first = list(lines.order_by("-pk")[: count + 1])
    shown = newest_first[:count][::-1]
    return LogPage(lines=shown, older=shown[0].pk if len(newest_first) > count else None)


def after(job: Job, line: int, *, count: int = 1000) -> list[JobLog]:
    """Lines written after the line numbered `line`, oldest first."""
    return list(JobLog.objects.filter(job=job, pk__gt=line)[:count])


def curves(job: Job) -> dict[str, list[tuple[int, float]]]:
    """Each figure the job has reported, as (step, value) pairs in order."""
    named: dict[str, list[tuple[int, float]]] = {}
    for step, values in JobMetric.objects.filter(job=job).values_list("step", "values"):
        for name, value in values.items():
            if isinstance(value, int | float):
                named.setdefault(name, []).append((step, float(value)))
    return named
