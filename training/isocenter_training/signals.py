"""The stop signal: SIGTERM asks for a checkpoint, then the program leaves with exit code 143."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

STOPPED_EXIT_CODE = 128 + signal.SIGTERM


class Stopped(BaseException):  # not an error: whoever takes faults for damage must not take it for one
    """The run was asked to stop and has saved where it is."""


class StopSignal:
    """Remembers that SIGTERM came, while its ``with`` block runs; the step at hand is finished first."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "StopSignal":  # noqa: D105
        self._previous = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(  # noqa: D105
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True


@contextmanager
def stoppable() -> Iterator[None]:
    """Make SIGTERM raise :class:`Stopped` inside the block, wherever no :class:`StopSignal` waits for it.

    A container's first process doesn't even notice a SIGTERM that it has not asked for.
    """
    previous = signal.signal(signal.SIGTERM, _raise_stopped)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped
