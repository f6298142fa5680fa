"""Which kinds of jobs there are, and what is done periodically. Each app registers its own in
`<app>/job_kinds.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from accounts.models import User
    from jobs.models import Job
    from jobs.services.context import JobContext

Function = Callable[["JobContext"], "dict[str, Any] | None"]
Predicate = Callable[["User", "Job"], bool]
Scopes = Callable[["User"], Iterable[UUID]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    name: str  # "<app>.<verb>_<noun>"
    function: Function
    label: Any  # lazy text for people
    resource: str
    max_attempts: int
    may_see: Predicate
    may_cancel: Predicate


@dataclass(frozen=True, kw_only=True)
class Periodic:
    name: str
    every_seconds: float
    function: Callable[[], object]


KINDS: dict[str, Kind] = {}
PERIODIC: dict[str, Periodic] = {}
SCOPES: list[Scopes] = []


def is_own(user: User, job: Job) -> bool:
    """The rule where a kind gives none: whoever started the job, and superusers."""
    return user.is_superuser or (job.created_by_id is not None and job.created_by_id == user.pk)


def register(
    name: str,
    function: Function,
    *,
    label: Any,
    resource: str = "cpu",
    max_attempts: int = 3,
    may_see: Predicate = is_own,
    may_cancel: Predicate = is_own,
) -> None:
    """Add a kind of job. `function` gets a JobContext and returns the job's result (JSON) or None.

    It must be safe to run twice: a killed worker's job is taken up again by another one.
    """
    if name in KINDS and KINDS[name].function is not function:
        raise ValueError(f"job kind {name!r} is registered twice: give one of them another name")
    KINDS[name] = Kind(
        name=name,
        function=function,
        label=label,
        resource=resource,
        max_attempts=max_attempts,
        may_see=may_see,
        may_cancel=may_cancel,
    )


def register_periodic(name: str, every_seconds: float, function: Callable[[], object]) -> None:
    """Have the scheduler call `function` about every so many seconds; it must be idempotent and short."""
    if name in PERIODIC and PERIODIC[name].function is not function:
        raise ValueError(f"periodic work {name!r} is registered twice: give one of them another name")
    PERIODIC[name] = Periodic(name=name, every_seconds=every_seconds, function=function)


def register_scopes(function: Scopes) -> None:
    """Say which scopes (project uuids) a user may list the jobs of; used by the jobs page and the API."""
    if function not in SCOPES:
        SCOPES.append(function)
