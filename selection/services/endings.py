"""How a station and a round end: by their job, by the shards they wait for, by a failure, by a person."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import GyreError
from jobs.models import Job
from jobs.models import State as JobState
from selection.models import ColumnBuild, Round, RoundStation
from selection.selectors import builds as builds_of
from selection.services import builds, stations, steps


def follow(round_: Round, station: RoundStation, job: Job) -> bool:
    build = builds_of.of_origin(stations.shards_of(round_, station.name))
    if job.state == JobState.DONE and build is not None:
        build = builds.advance(build)
        match build.state:
            case ColumnBuild.State.RUNNING:
                return False
            case ColumnBuild.State.FAILED:
                fail(round_, station, build.error)
                return False
            case ColumnBuild.State.CANCELLED:
                cancelled(round_, station)
                return False
    if job.state == JobState.DONE:
        try:
            more = steps.further(round_, station.name, job)
        except GyreError as error:
            fail(round_, station, str(error))
            return False
        if more is not None:
            RoundStation.objects.filter(pk=station.pk, job=job).update(job=more)
            return True
        detail: dict[str, Any] = dict(steps.outcome(round_, station.name, job))
        end(station, RoundStation.State.DONE, note=detail.pop("note", ""), detail=detail)
        return True
    if job.state == JobState.FAILED:
        fail(round_, station, job.error)
    elif job.state == JobState.CANCELLED:
        cancelled(round_, station)
    return False


def cancelled(round_: Round, station: RoundStation) -> None:
    end(station, RoundStation.State.CANCELLED, note=_("Cancelled."))
    finish(round_, Round.State.CANCELLED)


def end(station: RoundStation, state: str, *, note: str = "", detail: dict[str, Any] | None = None) -> None:
    now = timezone.now()
    RoundStation.objects.filter(
        pk=station.pk, state__in=[RoundStation.State.WAITING, RoundStation.State.RUNNING]
    ).update(
        state=state, note=note, detail=detail or {}, finished_at=now, started_at=station.started_at or now
    )


def fail(round_: Round, station: RoundStation, error: str) -> None:
    with transaction.atomic():
        end(station, RoundStation.State.FAILED, note=error)
        finish(round_, Round.State.FAILED, error=error)


def finish(round_: Round, state: str, *, error: str = "") -> None:
    Round.objects.filter(pk=round_.pk, state=Round.State.RUNNING).update(
        state=state, error=error, finished_at=timezone.now()
    )
