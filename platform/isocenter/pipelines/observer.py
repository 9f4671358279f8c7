"""What a pipeline tells whoever watches it."""

from collections.abc import Mapping
from typing import Any, Protocol

from isocenter.domain.run import RunId
from isocenter.pipelines.step import StepResult


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

    def job_found(self, step: str, run: RunId, *, resumed: bool, cost: str = "") -> None:
        """The step's job goes by this run id; ``resumed`` when an earlier pipeline began it.

        ``cost`` says in words on what it runs and what that may cost, where somebody bills it.
        """

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

    def job_found(self, step: str, run: RunId, *, resumed: bool, cost: str = "") -> None:
        """See :class:`Observer`."""

    def job_stopping(self, step: str) -> None:
        """See :class:`Observer`."""

    def outage(self, said: str) -> None:
        """See :class:`Observer`."""
