"""A pipeline's progress in a log file, on standard error: a line at each change, and one a minute."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from isocenter.cli.pipeline.wording import begun_as, figures, found_as, span
from isocenter.domain.run import JobState, JobStatus, RunId
from isocenter.pipelines.observer import FoundJob
from isocenter.pipelines.step import StepResult, StepState

_EVERY_S = 60.0


class LineObserver:
    """Writes plain lines, as they come.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The state of a job comes from a thread of its own.
        self._lock = threading.Lock()
        self._step = ""
        self._begun = self._said = clock()
        self._state: JobState | None = None
        self._attempt = 0
        self._event: Mapping[str, Any] = {}

    def step_started(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        with self._lock:
            self._begin(step)
        _say(f"{step} ...")

    def step_waiting(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"Another pipeline is doing {step!r}; waiting for it.")

    def step_ended(self, result: StepResult) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        with self._lock:
            self._begin("")
        if result.state is StepState.DONE:
            _say(f"{result.name:<9} done in {result.seconds:.1f} s")

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if event.get("event") != "progress":
            return
        with self._lock:
            if step == self._step:
                self._event = event
                self._now_and_then()

    def job_begun(self, step: str, run: RunId, target: str, *, copies: bool) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"{step:<9} {begun_as(run, target, copies=copies)}")

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if resumed:
            _say(f"{step}: going on with run {job.run}")
        with self._lock:
            self._attempt = job.attempt
        for line in found_as(job):
            _say(f"{step:<9} {line}")

    def job_seen(self, step: str, status: JobStatus) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        with self._lock:
            if step != self._step:
                return
            changed, self._state = status.state is not self._state, status.state
            if changed:
                self._tell()
            else:
                self._now_and_then()

    def job_stopping(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"Stopping {step!r} at a checkpoint. Ctrl-C again leaves at once; it then stops by itself.")

    def outage(self, said: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(said)

    def _begin(self, step: str) -> None:
        self._step = step
        self._begun = self._said = self._clock()
        self._state, self._attempt, self._event = None, 0, {}

    def _now_and_then(self) -> None:
        if self._clock() - self._said >= _EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._said = self._clock()
        attempt = f", attempt {self._attempt}" if self._attempt and self._state else ""
        state = f"{self._state or 'going on'}{attempt}"
        parts = [state, span(self._said - self._begun), *figures(self._event)]
        _say(f"{self._step:<9} {', '.join(parts)}")


def _say(line: str) -> None:
    click.echo(line, err=True)
