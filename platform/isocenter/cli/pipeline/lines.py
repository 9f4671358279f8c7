"""A pipeline's progress in a log file: one line a step begun, waited for or ended, on standard error."""

from collections.abc import Mapping
from typing import Any

import click

from isocenter.domain.run import RunId
from isocenter.pipelines.step import StepResult, StepState


class LineObserver:
    """Writes plain lines, as they come."""

    def step_started(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"{step} ...")

    def step_waiting(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"Another pipeline is doing {step!r}; waiting for it.")

    def step_ended(self, result: StepResult) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if result.state is StepState.DONE:
            _say(f"{result.name:<9} done in {result.seconds:.1f} s")

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""

    def job_found(self, step: str, run: RunId, *, resumed: bool, cost: str = "") -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if resumed:
            _say(f"{step}: going on with run {run}")
        if cost:
            _say(f"{step}: run {run} on {cost}")

    def job_stopping(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(f"Stopping {step!r} at a checkpoint. Ctrl-C again leaves at once; it then stops by itself.")

    def outage(self, said: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        _say(said)


def _say(line: str) -> None:
    click.echo(line, err=True)
