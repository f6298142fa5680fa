"""What can go wrong with a job."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import GyreError


class JobsError(GyreError):
    code = "jobs_error"


class UnknownKind(JobsError):
    code = "unknown_job_kind"


class NotAllowed(JobsError):
    code = "permission_denied"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            _("You may see this job but not change it: ask the person who started it, or an administrator.")
        )


class NotRetryable(JobsError):
    code = "job_not_retryable"
    status = 409


class NotCancellable(JobsError):
    code = "job_not_cancellable"
    status = 409


class BrokenArtifact(JobsError):
    """Files of an artifact are missing or changed."""

    code = "broken_artifact"
    status = 500


class ProgramFailed(JobsError):
    """A heavy program ended without a result. `permanent`: trying again would fail again."""

    code = "program_failed"

    def __init__(self, message: str, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class Transient(JobsError):
    """Raise it from a job's function for what may be over in a moment: the job is tried again, up to its
    limit.
    """

    code = "transient"


class Stopped(BaseException):
    """The job must end here. Not an Exception, so that no `except Exception` on its way swallows it."""


class Cancelled(Stopped):
    """Somebody cancelled the job."""


class Lost(Stopped):
    """The job belongs to another attempt now, or the worker shuts down; nothing may be booked any more."""
