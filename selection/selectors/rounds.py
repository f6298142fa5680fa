"""Reading rounds for pages and the API."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from annotation.models import Item, Project
from jobs.models import Job, JobLog
from jobs.models import State as JobState
from jobs.services import artifacts
from selection import hardness_words
from selection.models import ColumnBuild, Round, RoundStation
from selection.selectors import builds
from selection.selectors import picks as picks_of
from selection.selectors.builds import BuildView
from selection.selectors.picks import Picked
from selection.selectors.values import label_names

CSS = {"done": "done", "running": "running", "failed": "failed"}
BATCH_PAGE = 25
LOG_LINES = 200


@dataclass(frozen=True, kw_only=True)
class StationView:
    """One station as a page shows it. `share` and `eta` are None where they are not known."""

    name: str
    label: str
    state: str
    state_label: str
    css: str
    note: str
    job: Job | None
    share: float | None
    text: str
    eta: float | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """One picked item: its text and why it was picked."""

    pick: Picked
    text: str
    parts: list[float | None]
    tags: list[TagView]


@dataclass(frozen=True, kw_only=True)
class TagView:
    """A kind of hard as people read it, with the sentence of its rule; or, above the table, with its count."""

    key: str
    name: str
    rule: str = ""
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class BatchPage:
    """One page of a batch's table. `columns`: names of the score parts that some pick of the batch has; `tags`:
    kinds of hard among all picks; `tag`: the one that is shown alone, or ""; `shown`: picks that pass."""

    rows: list[BatchRow] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    tags: list[TagView] = field(default_factory=list)
    tag: str = ""
    total: int = 0
    shown: int = 0
    page: int = 1
    pages: int = 1


def for_project(project: Project) -> QuerySet[Round]:
    """All rounds of a project, newest first, with their stations and what they made."""
    stations = RoundStation.objects.select_related("job")
    return (
        Round.objects.filter(project=project)
        .select_related("created_by", "dataset", "run", "model", "batch")
        .prefetch_related(Prefetch("stations", stations))
    )


def get_round(project: Project, number: int) -> Round:
    """Raises Http404 where the project has no such round."""
    found = for_project(project).select_related("picks", "project").filter(number=number).first()
    if found is None:
        raise Http404(_("This project has no round %(number)s.") % {"number": number})
    return found


def latest(project: Project) -> Round | None:
    return for_project(project).first()


def running(project: Project) -> Round | None:
    return for_project(project).filter(state=Round.State.RUNNING).first()


def stations(round_: Round) -> list[StationView]:
    """The stations of a round; one that waits for shards shows how far they are."""
    running = [one for one in round_.stations.all() if one.state == RoundStation.State.RUNNING]
    keys = {one.name: f"round:{round_.uuid}:{one.name}" for one in running}
    found = builds.of_origins(list(keys.values())) if keys else {}
    return [_station(station, found.get(keys.get(station.name, ""))) for station in round_.stations.all()]


def _station(station: RoundStation, build: ColumnBuild | None) -> StationView:
    if build is not None and station.job is not None and station.job.has_ended:
        return _shards(station, builds.view(build))
    job = station.job if station.state == RoundStation.State.RUNNING else None
    return StationView(
        name=station.name,
        label=station.get_name_display(),
        state=station.state,
        state_label=station.get_state_display(),
        css=CSS.get(station.state, ""),
        note=station.note,
        job=station.job,
        share=job.progress if job and job.state == JobState.RUNNING else None,
        text=_job_text(job) if job else "",
        eta=job.eta_seconds if job else None,
        seconds=_seconds(station.started_at, station.finished_at),
    )


def _shards(station: RoundStation, build: BuildView) -> StationView:
    return replace(
        _station(station, None),
        share=build.share,
        text=_("part %(done)s of %(parts)s done, %(running)s running")
        % {"done": build.done, "parts": build.parts, "running": build.running},
        eta=build.eta,
    )


def _job_text(job: Job) -> str:
    if job.state == JobState.QUEUED:
        return _("waiting for a worker")
    return job.progress_text


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def station_seconds(round_: Round) -> dict[str, float]:
    """How long each station took, of those that ran."""
    return {
        station.name: seconds
        for station in round_.stations.all()
        if station.state == RoundStation.State.DONE
        and (seconds := _seconds(station.started_at, station.finished_at)) is not None
    }


def batch_page(round_: Round, page: int, tag: str = "") -> BatchPage:
    """A page of the picks, in pick order, with their texts (two queries); with `tag` only those of that kind."""
    if round_.picks is None:
        return BatchPage()
    folder = artifacts.path(round_.picks)
    every, tags = picks_of.read_picks(folder), picks_of.read_tags(folder)
    own = dict(zip((pick.row for pick in every), tags, strict=bool(tags)))
    counts = Counter(one.name for found in tags for one in found)
    tag = tag if tag in counts else ""
    passing = [pick for pick in every if not tag or any(one.name == tag for one in own[pick.row])]
    pages = max(1, -(-len(passing) // BATCH_PAGE))
    page = min(max(1, page), pages)
    shown = passing[(page - 1) * BATCH_PAGE : page * BATCH_PAGE]
    rows = [pick.row for pick in shown]
    texts = dict(Item.objects.filter(project=round_.project, row__in=rows).values_list("row", "text"))
    columns = sorted({name for pick in every for name in pick.parts}, key=_part_order)
    names = label_names(round_.project) if tags else {}
    return BatchPage(
        rows=[
            BatchRow(
                pick=pick,
                text=texts.get(pick.row, ""),
                parts=[pick.parts.get(c) for c in columns],
                tags=[_tag_view(one, names) for one in own.get(pick.row, [])],
            )
            for pick in shown
        ],
        columns=columns,
        tags=[
            TagView(key=key, name=str(name), count=counts[key])
            for key, name in hardness_words.NAMES.items()
            if counts[key]
        ],
        tag=tag,
        total=len(every),
        shown=len(passing),
        page=page,
        pages=pages,
    )


def _tag_view(one: picks_of.HardTag, names: dict[str, str]) -> TagView:
    labels = [names.get(label, label) for label in one.labels]
    rule = hardness_words.rule(one.name, one.found, one.bound, labels)
    return TagView(key=one.name, name=str(hardness_words.NAMES[one.name]), rule=rule)


def _part_order(name: str) -> tuple[int, str]:
    return (0, "") if name == "score" else (1, name)


def read_map(round_: Round) -> dict[str, Any] | None:
    """The round's points in the plane; None before it has picked, or where there were too few."""
    if round_.picks is None:
        return None
    points = picks_of.read_map(artifacts.path(round_.picks))
    return points if points["pool"] else None


def log(round_: Round) -> list[JobLog]:
    """The newest lines of all jobs of the round, oldest of them first."""
    jobs = [station.job_id for station in round_.stations.all() if station.job_id]
    newest = JobLog.objects.filter(job__in=jobs).select_related("job").order_by("-pk")[:LOG_LINES]
    return list(reversed(newest))


def newest_replay(round_: Round) -> Job | None:
    """The last time somebody asked to replay the round."""
    return (
        Job.objects.filter(
            kind="selection.replay_round",
            subject_id=str(round_.pk),
            subject_type__app_label="selection",
            subject_type__model="round",
        )
        .order_by("-pk")
        .first()
    )
