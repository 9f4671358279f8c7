"""Asks again: what the network or a busy service refuses once is asked for once more, within a deadline.

Safe for every call of a backend, because ``submit`` is idempotent on the run id.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from isocenter.backends.base import Backend, Capability
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobStatus, RunId
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import TransientFaultError

_Answer = TypeVar("_Answer")
DEADLINE_S = 600.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0


class PatientBackend:
    """A backend whose transient faults are waited out: exponential backoff with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (full jitter).

    Args:
        backend: what is asked.
        deadline_s: after so many seconds of asking the last fault is raised.
        told: is told of each wait: the fault, and the seconds until it is asked again.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        deadline_s: float = DEADLINE_S,
        told: Callable[[TransientFaultError, float], None] = lambda fault, wait: None,
    ) -> None:
        self._backend = backend
        self._deadline_s = deadline_s
        self._told = told
        self.name = backend.name
        self.capabilities: frozenset[Capability] = backend.capabilities

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """As the backend plans it."""
        return self._backend.plan(job, run)

    def submit(self, submission: Submission) -> JobHandle:
        """As the backend does, as often as it takes."""
        return self._patiently(lambda: self._backend.submit(submission))

    def status(self, handle: JobHandle) -> JobStatus:
        """As the backend sees it; UNKNOWN is no fault."""
        return self._backend.status(handle)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """As the backend gives them."""
        return self._backend.logs(handle, follow=follow)

    def cancel(self, handle: JobHandle) -> None:
        """As the backend does, as often as it takes."""
        self._patiently(lambda: self._backend.cancel(handle))

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """As the backend finds them, as often as it takes."""
        return self._patiently(lambda: self._backend.outputs(handle))

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        return patiently(ask, deadline_s=self._deadline_s, told=self._told)


def patiently(
    ask: Callable[[], _Answer],
    *,
    deadline_s: float = DEADLINE_S,
    told: Callable[[TransientFaultError, float], None] = lambda fault, wait: None,
) -> _Answer:
    """What ``ask`` gives, asked again after each transient fault.

    Args:
        ask: safe to repeat.
        deadline_s: see :class:`PatientBackend`.
        told: see :class:`PatientBackend`.

    Raises:
        TransientFaultError: the last one, when the time is up.
    """
    end = time.monotonic() + deadline_s
    longest = _FIRST_WAIT_S
    while True:
        try:
            return ask()
        except TransientFaultError as fault:
            wait = fault.retry_after_s or random.uniform(0, longest)  # noqa: S311 - spreads requests
            if time.monotonic() + wait > end:
                raise
            told(fault, wait)
            time.sleep(wait)
            longest = min(longest * 2, _LONGEST_WAIT_S)
