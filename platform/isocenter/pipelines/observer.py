"""What a pipeline tells whoever watches it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from isocenter.domain.run import JobStatus, RunId
from isocenter.pipelines.step import StepResult


@dataclass(frozen=True)
class FoundJob:
    """A job as its service has it.

    Args:
        run: its run id.
        attempt: 1, 2, 3 ... within the run.
        known_as: what kind of job it is there, and its name; empty on this machine.
        look: a page that shows it, or a command; empty where there is none.
        cost: on what it runs and what that may cost; empty where nobody bills it.
    """

    run: RunId
    attempt: int
    known_as: str = ""
    look: str = ""
    cost: str = ""


class Observer(Protocol):
    """Gets told what happens, in order. Must not raise."""

    def step_started(self, step: str) -> None:
        """The step is not cached; its work begins."""

    def step_waiting(self, step: str) -> None:
        """Another pipeline is doing the same step; this one waits for it."""

    def step_ended(self, result: StepResult) -> None:
        """The step's outputs are there."""

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """A step is under way: ``done``, ``total``, ``unit`` and more, as the job reports them."""

    def job_begun(self, step: str, run: RunId, target: str, *, copies: bool) -> None:
        """The step's job is about to be sent to ``target`` as this run; ``copies``: its inputs go first."""

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        """The step's job is there; ``resumed`` when an earlier pipeline began it."""

    def job_seen(self, step: str, status: JobStatus) -> None:
        """Where the job on its target is, now and then, changed or not. May come from another thread."""

    def job_stopping(self, step: str) -> None:
        """The job was asked to stop at a checkpoint."""

    def outage(self, said: str) -> None:
        """The service can't be asked, or can be again: a sentence, at first and then each minute."""


class Silent:
    """An observer that looks away."""

    def step_started(self, step: str) -> None:
        """See :class:`Observer`."""

    def step_waiting(self, step: str) -> None:
        """See :class:`Observer`."""

    def step_ended(self, result: StepResult) -> None:
        """See :class:`Observer`."""

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """See :class:`Observer`."""

    def job_begun(self, step: str, run: RunId, target: str, *, copies: bool) -> None:
        """See :class:`Observer`."""

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        """See :class:`Observer`."""

    def job_seen(self, step: str, status: JobStatus) -> None:
        """See :class:`Observer`."""

    def job_stopping(self, step: str) -> None:
        """See :class:`Observer`."""

    def outage(self, said: str) -> None:
        """See :class:`Observer`."""
