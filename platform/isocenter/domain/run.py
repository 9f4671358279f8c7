"""Runs, attempts and the state of a submitted job."""

import enum
from dataclasses import dataclass
from typing import NewType

RunId = NewType("RunId", str)


class JobState(enum.StrEnum):
    """Where a job is. UNKNOWN means that the backend could not tell, not that the job failed."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended and will not change any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobHandle:
    """What a backend needs to find a submitted job again.

    Args:
        backend: name of the backend that took the job.
        run: the run id that ``submit`` was idempotent on.
        external_id: the service's own name of the job (for ``local``: the attempt's directory).
    """

    backend: str
    run: RunId
    external_id: str


@dataclass(frozen=True)
class JobStatus:
    """A job's state as the backend saw it last.

    Args:
        state: where the job is.
        exit_code: of the container or process, when it has ended and the service tells.
        reason: one paragraph on why it failed, or why nobody can tell; without patient data; None where there
            is nothing to explain.
        missing: the service answers that it has no such job: it is UNKNOWN, and waiting won't change that.
    """

    state: JobState
    exit_code: int | None = None
    reason: str | None = None
    missing: bool = False


def no_such_job(where: str, name: str) -> JobStatus:
    """The status of a job that was submitted and of which the service, asked, knows nothing.

    Args:
        where: the target's name.
        name: the service's name of the job.
    """
    reason = f"{where} has no job {name} any more: it was removed there, or the service lost it."
    return JobStatus(JobState.UNKNOWN, reason=reason, missing=True)


def new_run_id() -> RunId:
    """A new ULID (26 characters, sorts by time of creation)."""
    from ulid import ULID

    return RunId(str(ULID()))
