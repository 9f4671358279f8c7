"""Asks again: what the network or a busy service refuses once is asked for once more, within a deadline.

Safe for every call of a backend, because ``submit`` is idempotent on the run id.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from isocenter.backends.base import Backend, Capability
from isocenter.backends.following import Following
from isocenter.backends.outage import DEADLINE_S, Outage
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import TransientFaultError

_Answer = TypeVar("_Answer")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0


class PatientBackend:
    """A backend whose transient faults are waited out: exponential backoff with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (full jitter).

    Args:
        backend: what is asked.
        deadline_s: after so many seconds of asking the last fault is raised.
        told: is told of each wait: the fault, and the seconds until it is asked again.
        say: gets sentences for whoever waits: see :class:`~isocenter.backends.outage.Outage`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        deadline_s: float = DEADLINE_S,
        told: Callable[[TransientFaultError, float], None] = lambda fault, wait: None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._backend = backend
        self._deadline_s = deadline_s
        self._told = told
        self._say = say
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
        """As the backend gives them; with ``follow``, faults on the way are waited out.

        Raises:
            TransientFaultError: the last fault, when the time is up and the job can't be seen either.
        """
        if not follow:
            return self._backend.logs(handle)
        return self._followed(handle, self._backend.logs(handle, follow=True))

    def cancel(self, handle: JobHandle) -> None:
        """As the backend does, as often as it takes."""
        self._patiently(lambda: self._backend.cancel(handle))

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """As the backend finds them, as often as it takes."""
        return self._patiently(lambda: self._backend.outputs(handle))

    def _followed(self, handle: JobHandle, lines: Iterator[str]) -> Iterator[str]:
        outage = Outage(self._say, self._deadline_s)
        if isinstance(lines, Following):
            lines.answered = outage.ended
        while True:
            try:
                yield next(lines)
            except StopIteration:
                return
            except TransientFaultError as fault:
                if outage.met(fault.message):
                    continue
                if self.status(handle).state is JobState.UNKNOWN:
                    raise
                return  # the log alone can't be read

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        return patiently(ask, deadline_s=self._deadline_s, told=self._told, say=self._say)


def patiently(
    ask: Callable[[], _Answer],
    *,
    deadline_s: float = DEADLINE_S,
    told: Callable[[TransientFaultError, float], None] = lambda fault, wait: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> _Answer:
    """What ``ask`` gives, asked again after each transient fault.

    Args:
        ask: safe to repeat.
        deadline_s: see :class:`PatientBackend`.
        told: see :class:`PatientBackend`.
        say: see :class:`PatientBackend`.

    Raises:
        TransientFaultError: the last one, when the time is up.
    """
    end = time.monotonic() + deadline_s
    longest, outage = _FIRST_WAIT_S, Outage(say, deadline_s)
    while True:
        try:
            answer = ask()
            outage.ended()
            return answer
        except TransientFaultError as fault:
            wait = fault.retry_after_s or random.uniform(0, longest)  # noqa: S311 - spreads requests
            if time.monotonic() + wait > end:
                raise
            outage.met(fault.message)
            told(fault, wait)
            time.sleep(wait)
            longest = min(longest * 2, _LONGEST_WAIT_S)
