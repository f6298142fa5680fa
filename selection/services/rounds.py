"""Rounds: launching, moving on, cancelling, trying again.

A round is a row with eight stations. It holds no worker while it waits: `advance` looks where it stands,
starts what is next as a job, and returns. It is called when a job ends (the signal: speed) and every few
seconds (the tick: truth), from
several processes at once if need be: every step is a conditional update or is idempotent by key.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import GyreError
from accounts.models import User
from accounts.services import audit
from annotation.models import Import, Project
from annotation.selectors import schemas
from jobs.errors import NotCancellable, NotRetryable
from jobs.models import Job
from jobs.services import jobs
from selection.errors import BadSpec, PoolTooSmall, RoundEnded, RoundRunning
from selection.models import Round, RoundStation, Station
from selection.round_spec import RoundSpec
from selection.selectors import builds as builds_of
from selection.selectors import values
from selection.services import builds, endings, pool, stations, steps
from selection.strategies.registry import STRATEGIES
from training import learners, settings_schema
from training.errors import BadSettings
from training.services import runs
from training.services.numbering import next_number

logger = logging.getLogger(__name__)
_RUNNING, _WAITING = RoundStation.State.RUNNING, RoundStation.State.WAITING
_PASSED = (RoundStation.State.DONE, RoundStation.State.SKIPPED)


def launch(project: Project, spec: RoundSpec, *, by: User | None = None) -> Round:
    """Start a round; its first job is queued once the transaction is committed.

    Raises:
        BadSpec: an unknown strategy or learner, or settings that one of them refuses.
        BadBaseModel: there is no such base model.
        PoolTooSmall: fewer items wait than the batch asks for.
        RoundRunning: the project's last round has not ended.
        SchemaMissing: the project has no labels yet.
    """
    spec = fitted(project, spec)
    check(project, spec)
    try:
        with transaction.atomic():
            round_ = Round.objects.create(
                project=project, number=next_number(Round, project), spec=spec.to_json(), created_by=by
            )
            RoundStation.objects.bulk_create(
                RoundStation(round=round_, name=name, position=position)
                for position, name in enumerate(Station.values)
            )
            audit.record("round.launched", actor=by, scope=project.uuid, target=round_, spec=spec.to_json())
    except IntegrityError as error:
        raise _running_already(project) from error
    advance(round_)
    round_.refresh_from_db()
    return round_


def fitted(project: Project, spec: RoundSpec) -> RoundSpec:
    """The order with a learner that learns from the project's type of label. Settings are never dropped
    unsaid.

    Raises:
        BadSpec: its learner does not, and has settings.
    """
    kind = schemas.label_field(schemas.require(project))["type"]
    learner = learners.fitting(spec.learner, kind)
    if learner == spec.learner:
        return spec
    if spec.learner_settings:
        raise BadSpec(
            _("The learner “%(learner)s” does not learn from labels of this type: use “%(other)s”.")
            % {"learner": spec.learner, "other": learner}
        )
    return replace(spec, learner=learner)


def check(project: Project, spec: RoundSpec) -> None:
    """Refuse an order that could not be carried out, before anything is started. Raises as `launch` does."""
    if spec.strategy not in STRATEGIES:
        raise BadSpec(
            _("There is no strategy “%(name)s”: use one of %(known)s.")
            % {"name": spec.strategy, "known": ", ".join(STRATEGIES)}
        )
    try:
        settings_schema.read(STRATEGIES[spec.strategy].settings, spec.settings)
    except ValueError as error:
        raise BadSpec(error) from error
    try:
        runs.check(project, spec.learner, spec.learner_settings)
    except BadSettings as error:
        raise BadSpec(error) from error
    goes_on = spec.learner == "finetune" and spec.learner_settings.get("start_from") == "deployed"
    if spec.compare_fresh and not goes_on:
        raise BadSpec(
            _(
                "Only a fine-tune that goes on with the deployed model can be compared with a fresh start: let "
                "it go on, or leave the comparison out."
            )
        )
    if spec.weigh_by_value and values.newest(project) is None:
        raise BadSpec(
            _(
                "There are no values of labels to weigh items by: work them out first, on the page “Value of "
                "labels”."
            )
        )
    if not project.is_active:
        raise BadSpec(
            _("Project %(project)s is %(state)s: activate it on its settings page before launching a round.")
            % {"project": project, "state": project.get_state_display()}
        )
    schemas.require(project)
    if Round.objects.filter(project=project, state=Round.State.RUNNING).exists():
        raise _running_already(project)
    waiting = pool.candidates(project).order_by()[: spec.batch_size].count()
    if waiting < spec.batch_size:
        raise PoolTooSmall(
            _(
                "The pool has %(waiting)s unlabelled items, the batch needs %(size)s: lower the batch size "
                "(0 only trains) or import more texts."
            )
            % {"waiting": waiting, "size": spec.batch_size}
        )


def _running_already(project: Project) -> RoundRunning:
    running = Round.objects.filter(project=project, state=Round.State.RUNNING).first()
    number = running.number if running else "?"
    return RoundRunning(
        _("Round %(number)s of this project is still running: wait for its end or cancel it.")
        % {"number": number}
    )


def advance(round_: Round) -> None:
    """Move a round on as far as it goes now. Safe to call at any time, any number of times, from anywhere."""
    for _turn in range(4 * len(Station.values)):  # each turn ends a station or returns
        round_ = Round.objects.select_related("project", "run", "dataset", "model").get(pk=round_.pk)
        if round_.state != Round.State.RUNNING:
            return
        station = round_.stations.exclude(state__in=_PASSED).select_related("job").first()
        if station is None:
            endings.finish(round_, Round.State.DONE)
            return
        if not _move(round_, station):
            return


def advance_origin(origin: str) -> None:
    """Move the round on that asked for a build; what others asked for is no round's."""
    kind, _colon, key = origin.partition(":")
    if kind == "round":
        for round_ in Round.objects.filter(uuid=key.partition(":")[0]):
            advance(round_)


def _move(round_: Round, station: RoundStation) -> bool:
    """One step at one station; False when there is nothing to do until its job has ended."""
    if (
        station.state == RoundStation.State.FAILED
    ):  # the process died between the station's end and the round's
        endings.finish(round_, Round.State.FAILED, error=station.note)
        return False
    if station.state == _WAITING:
        if reason := steps.skip_reason(round_, station.name):
            endings.end(station, RoundStation.State.SKIPPED, note=reason)
            return True
        RoundStation.objects.filter(pk=station.pk, state=_WAITING).update(
            state=_RUNNING, started_at=timezone.now()
        )
    if station.job is None:
        try:
            station.job = steps.start(round_, station.name)
        except GyreError as error:
            endings.fail(round_, station, str(error))
            return False
        RoundStation.objects.filter(pk=station.pk).update(job=station.job)
        return True
    return endings.follow(round_, station, station.job)


def _break(round_: Round, error: Exception) -> None:
    """End a round that our own code cannot move, so that people see it instead of waiting for ever."""
    message = f"{type(error).__name__}: {error}"
    station = round_.stations.exclude(state__in=_PASSED).first()
    if station is not None:
        endings.fail(round_, station, message)
    else:
        endings.finish(round_, Round.State.FAILED, error=message)


def cancel(round_: Round, *, by: User | None = None) -> None:
    """Stop a round wherever it stands; what its stations have made stays.

    Raises:
        RoundEnded: it has ended, or its batch is out already.
    """
    with transaction.atomic():
        open_round = Round.objects.filter(pk=round_.pk, state=Round.State.RUNNING, batch__isnull=True)
        if not open_round.update(state=Round.State.CANCELLED, finished_at=timezone.now()):
            raise RoundEnded(
                _("This round has ended or has published its batch: there is nothing to cancel.")
            )
        audit.record("round.cancelled", actor=by, scope=round_.project.uuid, target=round_)
        running = round_.stations.filter(state=_RUNNING).select_related("job").first()
        if running is not None:
            endings.end(running, RoundStation.State.CANCELLED, note=_("Cancelled."))
    if running is not None and running.job is not None:
        with suppress(NotCancellable):  # it ended a moment ago
            jobs.cancel(running.job, by)
        if build := builds_of.of_origin(stations.shards_of(round_, running.name)):
            builds.cancel(build, by=by)
    round_.refresh_from_db()


def retry(round_: Round, *, by: User | None = None) -> None:
    """Take a failed round up again at the station that failed; what came before is not done again.

    Raises:
        RoundEnded: it has not failed.
        RoundRunning: another round of the project runs now.
    """
    station = round_.stations.filter(state=RoundStation.State.FAILED).select_related("job").first()
    try:
        with transaction.atomic():
            failed = Round.objects.filter(pk=round_.pk, state=Round.State.FAILED)
            if station is None or not failed.update(state=Round.State.RUNNING, error="", finished_at=None):
                raise RoundEnded(
                    _("Only a failed round can be tried again; this one is %(state)s.")
                    % {"state": round_.get_state_display()}
                )
            RoundStation.objects.filter(pk=station.pk).update(state=_RUNNING, note="", finished_at=None)
            if station.job is not None:
                _requeue(station.job, by)
            if build := builds_of.of_origin(stations.shards_of(round_, station.name)):
                builds.retry(build, by=by)
            audit.record(
                "round.retried", actor=by, scope=round_.project.uuid, target=round_, station=station.name
            )
    except IntegrityError as error:
        raise _running_already(round_.project) from error
    advance(round_)
    round_.refresh_from_db()


def _requeue(job: Job, by: User | None) -> None:
    try:
        jobs.retry(job, by)
    except NotRetryable:
        return  # it was tried again from its own page
    runs.settle(job)


def run_to_end(round_: Round) -> Round:
    """Run a round's jobs in this process until it has ended (commands, simulate, tests); needs no worker."""
    while True:
        ran = jobs.drain()
        advance(round_)
        round_.refresh_from_db()
        if round_.state != Round.State.RUNNING:
            return round_
        if not ran:  # a worker elsewhere runs the station's job; or did, and was killed
            jobs.sweep()
            time.sleep(0.2)


def advance_all() -> int:
    """The tick: move running rounds on, start first rounds whose signal was lost; how many it touched."""
    running = list(Round.objects.filter(state=Round.State.RUNNING))
    for round_ in running:
        try:
            advance(round_)
        except OperationalError:  # the database was busy: the next tick tries again
            logger.warning("round %s: the database was busy", round_.pk)
        except Exception as error:  # the outermost loop: one broken round must not hold up the others
            logger.exception("round %s could not be moved on", round_.pk)
            _break(round_, error)
    fresh = Project.objects.filter(
        state=Project.State.ACTIVE, rounds__isnull=True, imports__state=Import.State.DONE
    ).distinct()
    return len(running) + sum(start_first(project) is not None for project in fresh)


def start_first(project: Project) -> Round | None:
    """Launch the first round of a project that has items, labels and no round yet, so that there is
    something to label. Labels may come after the items: the tick asks again.
    """
    if not steps.automatic_rounds() or not project.is_active or project.rounds.exists():
        return None
    if schemas.current(project) is None:
        return None
    waiting = pool.candidates(project).order_by()[: project.batch_size].count()
    if not waiting:
        return None
    spec = RoundSpec(
        batch_size=min(project.batch_size, waiting),
        control_share=project.control_share,
        seed=project.seed,
        note=_("Started by itself after the first import."),
    )
    try:
        return launch(project, spec)
    except (RoundRunning, PoolTooSmall):
        return None  # somebody was quicker
