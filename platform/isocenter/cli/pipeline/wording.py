"""The words for a pipeline's progress, the same on a terminal and in a log file."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from isocenter.domain.run import RunId
from isocenter.pipelines.observer import FoundJob

_FIGURES = {"loss": "loss", "validation_auroc": "AUROC"}


def span(seconds: float) -> str:
    """A time that has passed or is left, e.g. ``0:02:20``."""
    return str(timedelta(seconds=round(seconds)))


def begun_as(run: RunId, target: str, *, copies: bool) -> str:
    """A job that is about to be sent to its target."""
    return f"run {run} on {target}{'; copying its inputs there' if copies else ''}"


def found_as(job: FoundJob) -> Iterator[str]:
    """A job as its service has it: name, what shows it, and cost. Nothing for one on this machine."""
    if job.known_as:
        yield f"attempt {job.attempt}: {job.known_as}"
    if job.cost:
        yield job.cost
    if job.look:
        yield job.look


def count(event: Mapping[str, Any]) -> str:
    """How much of it is done, e.g. ``62/432``; empty where the job doesn't tell."""
    total = event.get("total") or None
    return f"{event.get('done', 0)}/{total}" if total else ""


def measures(event: Mapping[str, Any]) -> Iterator[str]:
    """Epoch, loss and what else is known of a training."""
    if "epoch" in event and "epochs" in event:
        yield f"epoch {event['epoch']}/{event['epochs']}"
    for name, short in _FIGURES.items():
        if isinstance(event.get(name), int | float):
            yield f"{short} {event[name]:.2f}"


def figures(event: Mapping[str, Any]) -> Iterator[str]:
    """All that an event tells, for a line of its own."""
    if count(event):
        yield f"{count(event)} {event.get('unit', 'step')}s"
    yield from measures(event)
    if isinstance(event.get("eta_s"), int | float):
        yield f"{span(event['eta_s'])} left"
