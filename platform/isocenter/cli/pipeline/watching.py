"""A pipeline's progress on the terminal: a bar with the time left, and a line for each step that ended."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from isocenter.cli.pipeline.wording import begun_as, count, found_as, measures, span
from isocenter.domain.run import JobStatus, RunId
from isocenter.pipelines.observer import FoundJob
from isocenter.pipelines.step import StepResult, StepState


class _Time(ProgressColumn):
    """A target's job: its state and the time since the step began. The time left where the job tells it."""

    def render(self, task: Task) -> Text:
        """One short text."""
        passed, left = span(task.elapsed or 0), task.fields["left"]
        parts = [f"{task.fields['state']} {passed}"] if task.fields["state"] else []
        if isinstance(left, int | float):
            parts.append(f"{span(left)} left")
        return Text("  ".join(parts or [passed]))


class TerminalObserver:
    """Shows a pipeline on ``console``; used as a context manager, so that the bar is taken away at the end.

    Where the output is no terminal, :class:`~isocenter.cli.pipeline.lines.LineObserver` does it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description:<9}"),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[count]}"),
            _Time(),
            TextColumn("[dim]{task.fields[figures]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._attempt = 0
        # The state of a job comes from a thread of its own.
        self._lock = threading.Lock()

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
        self._task = self._bar.add_task(step, total=None, count="", state="", left=None, figures="")

    def step_waiting(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._console.print(f"Another pipeline is doing {step!r}; waiting for it.")

    def step_ended(self, result: StepResult) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        with self._lock:
            if self._task is not None:
                self._bar.remove_task(self._task)
                self._task = None
        if result.state is StepState.DONE:
            self._console.print(f"[green]{result.name:<9}[/] done in {result.seconds:.1f} s", highlight=False)

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if self._task is None or event.get("event") != "progress":
            return
        self._bar.update(
            self._task,
            completed=event.get("done", 0),
            total=event.get("total") or None,
            count=count(event),
            left=event.get("eta_s"),
            figures=escape("  ".join(measures(event))),
        )

    def job_begun(self, step: str, run: RunId, target: str, *, copies: bool) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._print(f"{step:<9} {begun_as(run, target, copies=copies)}")

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        if resumed:
            self._print(f"{step}: going on with run {job.run}")
        self._attempt = job.attempt
        for line in found_as(job):
            self._print(f"{step:<9} {line}")

    def job_seen(self, step: str, status: JobStatus) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        again = f", attempt {self._attempt}" if self._attempt > 1 else ""
        with self._lock:
            if self._task is not None:
                self._bar.update(self._task, state=f"{status.state}{again}")

    def job_stopping(self, step: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._console.print(
            f"Stopping {step!r} at a checkpoint. Ctrl-C again leaves at once; it then stops by itself."
        )

    def outage(self, said: str) -> None:
        """See :class:`isocenter.pipelines.observer.Observer`."""
        self._print(said)

    def _print(self, line: str) -> None:
        # One line, however long: a link that is broken can't be followed.
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
