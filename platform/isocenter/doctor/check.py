"""The outcome of one check of this machine."""

import enum
from dataclasses import dataclass


class CheckState(enum.StrEnum):
    """Whether what was looked for is there."""

    OK = "ok"
    MISSING = "missing"
    WARNING = "warning"


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    Args:
        name: what was looked for.
        state: whether it is there.
        detail: what was found.
        remedy: how to get it; empty when there is nothing to do.
        required: whether the work on this machine needs it.
    """

    name: str
    state: CheckState
    detail: str
    remedy: str = ""
    required: bool = False

    @property
    def fails(self) -> bool:
        """Whether something required is missing."""
        return self.required and self.state is CheckState.MISSING


def ok(name: str, detail: str, *, required: bool = False) -> Check:
    """A check that found what it looked for."""
    return Check(name, CheckState.OK, detail, required=required)


def missing(name: str, detail: str, remedy: str, *, required: bool = False) -> Check:
    """A check that did not."""
    return Check(name, CheckState.MISSING, detail, remedy, required)


def warning(name: str, detail: str, remedy: str, *, required: bool = False) -> Check:
    """A check that found something short of what is wanted."""
    return Check(name, CheckState.WARNING, detail, remedy, required)
