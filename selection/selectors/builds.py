"""Reading how far the shards of a column are."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet

from annotation.models import Project
from jobs.models import Job
from jobs.models import State as JobState
from selection.models import ColumnBuild


@dataclass(frozen=True, kw_only=True)
class BuildView:
    """One build as a page shows it: parts done, running and failed, the share of all work that is done."""

    build: ColumnBuild
    done: int
    running: int
    failed: int
    share: float
    eta: float | None

    @property
    def parts(self) -> int:
        return self.build.parts

    @property
    def is_running(self) -> bool:
        return self.build.state == ColumnBuild.State.RUNNING


def jobs_of(build: ColumnBuild) -> QuerySet[Job]:
    """The jobs of a build, one a part."""
    kind = ContentType.objects.get_for_model(ColumnBuild)
    return Job.objects.filter(subject_type=kind, subject_id=str(build.pk))


def view(build: ColumnBuild) -> BuildView:
    """How far a build is (one query)."""
    found = list(jobs_of(build).values_list("state", "progress", "eta_seconds"))
    done = sum(state == JobState.DONE for state, *_ in found)
    running = [(progress, eta) for state, progress, eta in found if state == JobState.RUNNING]
    waiting = sum(state == JobState.QUEUED for state, *_ in found)
    share = (done + sum(progress for progress, _eta in running)) / max(1, build.parts)
    return BuildView(
        build=build,
        done=done,
        running=len(running),
        failed=sum(state == JobState.FAILED for state, *_ in found),
        share=min(1.0, share),
        eta=_eta(running, waiting),
    )


def _eta(running: list[tuple[float, float | None]], waiting: int) -> float | None:
    """Seconds left, if the parts that wait take as long as those that run now; None while nobody knows."""
    known = [(progress, eta) for progress, eta in running if eta is not None and progress > 0.02]
    if not known:
        return None
    whole = sum(eta / max(1e-3, 1 - progress) for progress, eta in known) / len(known)
    return max(eta for _progress, eta in known) + whole * waiting / len(known)


def of_origin(origin: str) -> ColumnBuild | None:
    return ColumnBuild.objects.filter(origin=origin).select_related("project").first()


def of_origins(origins: list[str]) -> dict[str, ColumnBuild]:
    """Builds by what asked for them."""
    return {build.origin: build for build in ColumnBuild.objects.filter(origin__in=origins)}


def newest(project: Project, limit: int = 5) -> list[BuildView]:
    """A project's builds, newest first."""
    return [view(build) for build in ColumnBuild.objects.filter(project=project)[:limit]]
