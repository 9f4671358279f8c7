"""A pipeline's progress on the terminal: a bar with the time left, and a line for each step that ended."""

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from isocenter.domain.run import RunId
from isocenter.pipelines.step import StepResult, StepState

_FIGURES = {"loss": "loss", "validation_auroc": "AUROC"}


class _Time(ProgressColumn):
    """The time left where the job tells it, else the time since the step began."""

    def render(self, task: Task) -> Text:
        """One short text."""
        left = task.fields["left"]
        if isinstance(left, int | float):
            return Text(f"{timedelta(seconds=round(left))} left")
        return Text(str(timedelta(seconds=round(task.elapsed or 0))))


class TerminalObserver:
    """Shows a pipeline on ``console``; used as a context manager, so that the bar is taken away at the end.

    Where the output is no terminal, :class:`~isocenter.cli.pipeline.lines.LineObserver` does it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description:<9}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}"),
            _Time(),
            TextColumn("[dim]{task.fields[figures]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "TerminalObserver":
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def step_started(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._task = self._bar.add_task(step, total=None, count="", left=None, figures="")

    def step_waiting(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._console.print(f"Another pipeline is doing {step!r}; waiting for it.")

    def step_ended(self, result: StepResult) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if result.state is StepState.DONE:
            self._console.print(f"[green]{result.name:<9}[/] done in {result.seconds:.1f} s", highlight=False)

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if self._task is None or event.get("event") != "progress":
            return
        done, total = event.get("done", 0), event.get("total") or None
        self._bar.update(
            self._task,
            completed=done,
            total=total,
            count=f"{done}/{total}" if total else "",
            left=event.get("eta_s"),
            figures=escape(_figures(event)),
        )

    def job_found(self, step: str, run: RunId, *, resumed: bool, cost: str = "") -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if resumed:
            self._console.print(f"{step}: going on with run {run}", highlight=False)
        if cost:
            self._console.print(f"{step}: run {run} on {cost}", highlight=False, markup=False)

    def job_stopping(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._console.print(
            f"Stopping {step!r} at a checkpoint. Ctrl-C again leaves at once; it then stops by itself."
        )

    def outage(self, said: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._console.print(escape(said), highlight=False)


def _figures(event: Mapping[str, Any]) -> str:
    parts = []
    if "epoch" in event and "epochs" in event:
        parts.append(f"epoch {event['epoch']}/{event['epochs']}")
    known = [name for name in _FIGURES if isinstance(event.get(name), int | float)]
    parts += [f"{_FIGURES[name]} {event[name]:.2f}" for name in known]
    return "  ".join(parts)
