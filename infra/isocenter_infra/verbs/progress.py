"""How far Terraform is: a bar on a terminal, else a line now and then, on standard error."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from isocenter.cli.output import progress_console
from isocenter_infra.terraform.plan_summary import Action, Change
from isocenter_infra.terraform.workspace import Listener
from isocenter_infra.verbs.screen import notice

# Without a terminal a line is printed after so many seconds; sooner, if not at once, after so many resources.
_EVERY = 10
_EVERY_S = 15.0
_LEAST_S = 3.0
_Show = Callable[[int, int | None], None]


def steps(changes: Sequence[Change]) -> int:
    """How many resources an apply of ``changes`` reports: a replacement is a destroy and a create."""
    return sum(2 if change.action is Action.REPLACE else 1 for change in changes)


@contextmanager
def progress(
    title: str, *, total: int | None = None, quiet: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[Listener]:
    """Show how far Terraform is with its resources, until the ``with`` block ends.

    Args:
        title: what it is at.
        total: how many resources there are to change; None: not known before a plan is made.
        quiet: show nothing where standard error is no terminal.
        clock: seconds that only grow.
    """
    console = progress_console()
    if console.is_terminal:
        with _bar(title, total) as show:
            yield _follow(show, total)
    else:
        yield _follow(_silent if quiet else _lines(title, clock), total)


def _follow(show: _Show, total: int | None) -> Listener:
    done = 0
    show(done, total)

    def listen(message: Mapping[str, Any]) -> None:
        nonlocal done, total
        kind = message.get("type")
        if kind == "change_summary":
            # A plan says how many there are; after an apply another phase begins.
            changes = message["changes"]
            done, total = 0, _planned(changes) if changes.get("operation") == "plan" else None
        elif kind == "refresh_complete" or (kind == "apply_complete" and message["hook"]["action"] != "read"):
            done += 1
        show(done, total)

    return listen


def _planned(changes: Mapping[str, Any]) -> int:
    return sum(int(changes.get(name, 0)) for name in ("add", "change", "remove"))


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[_Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _silent(done: int, total: int | None) -> None:
    pass


def _lines(title: str, clock: Callable[[], float]) -> _Show:
    begun = clock()
    said, said_at = 0, begun

    def show(done: int, total: int | None) -> None:
        nonlocal said, said_at
        now = clock()
        # Another phase begins at 0.
        said = min(said, done)
        if now - said_at < (_LEAST_S if done - said >= _EVERY else _EVERY_S):
            return
        said, said_at = done, now
        of = "" if total is None else f" of {total}"
        notice(f"{title}: {done}{of} resources, {now - begun:.0f} s.")

    return show
