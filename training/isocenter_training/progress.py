"""How far a training is: a bar with the time left for a person, JSON lines for a program."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

_INTERVAL_S = 1.0
_REDRAW_S = 0.1


Facts = Callable[[], Mapping[str, Any]]
"""Gives the figures to show. A function, because fetching a loss makes the program wait for the GPU."""


class Reporter(Protocol):
    """Takes note of progress."""

    def start(self, done: int, total: int) -> None:
        """Training begins with ``done`` of ``total`` steps behind it."""

    def step(self, done: int, facts: Facts = dict) -> None:
        """``done`` steps are behind."""

    def close(self) -> None:
        """Nothing more will come."""


class TimeLeft:
    """Estimates the seconds left from the speed since training began or was continued."""

    def __init__(self, done: int, total: int) -> None:
        self._first = done
        self._total = total
        self._begin = time.monotonic()

    def seconds(self, done: int) -> float | None:
        """Seconds until ``total``; None before the first step."""
        if done <= self._first:
            return None
        pace = (time.monotonic() - self._begin) / (done - self._first)
        return round(pace * (self._total - done), 1)


class JsonLines:
    """One JSON object a line on standard output, at most one a second."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._last = 0.0

    def start(self, done: int, total: int) -> None:
        """See :class:`Reporter`."""
        self._total = total
        self._left = TimeLeft(done, total)

    def step(self, done: int, facts: Facts = dict) -> None:
        """See :class:`Reporter`. The last step is always printed."""
        now = time.monotonic()
        if now - self._last < _INTERVAL_S and done < self._total:
            return
        self._last = now
        event = {"event": "progress", "stage": self._stage, "done": done, "total": self._total}
        event |= {"unit": "step", "eta_s": self._left.seconds(done)} | dict(facts())
        print(json.dumps(event), flush=True)

    def close(self) -> None:
        """See :class:`Reporter`."""


class Bar:
    """A progress bar on standard error."""

    def __init__(self, stage: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(stage, total=None, facts="")
        self._last = 0.0

    def start(self, done: int, total: int) -> None:
        """See :class:`Reporter`."""
        self._progress.start()
        self._progress.update(self._task, completed=done, total=total)

    def step(self, done: int, facts: Facts = dict) -> None:
        """See :class:`Reporter`. Drawn at most ten times a second."""
        now = time.monotonic()
        if now - self._last < _REDRAW_S:
            return
        self._last = now
        text = "  ".join(
            f"{name.replace('_', ' ')} {_short(value)}"
            for name, value in facts().items()
            if value is not None
        )
        self._progress.update(self._task, completed=done, facts=text)

    def close(self) -> None:
        """See :class:`Reporter`."""
        self._progress.stop()


class Silent:
    """Says nothing: for all processes but the first."""

    def start(self, done: int, total: int) -> None:
        """See :class:`Reporter`."""

    def step(self, done: int, facts: Facts = dict) -> None:
        """See :class:`Reporter`."""

    def close(self) -> None:
        """See :class:`Reporter`."""


def reporter(stage: str, *, speaks: bool = True) -> Reporter:
    """A bar where standard output is a terminal, else JSON lines; silence unless this process ``speaks``."""
    if not speaks:
        return Silent()
    return Bar(stage) if sys.stdout.isatty() else JsonLines(stage)


def say(text: str) -> None:
    """A line of text for a person, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
