"""The state of a job that is followed, told now and then: its log may be silent for hours."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isocenter.domain.run import JobStatus

_FIRST_S = 1.0


@contextmanager
def states_told(
    look: Callable[[], JobStatus], told: Callable[[JobStatus], None], *, every_s: float
) -> Iterator[None]:
    """Look after a second and then every ``every_s``, until the ``with`` block or the job ends.

    Not at once: a job that was just sent is pending, and its service is busy with it.

    Args:
        look: the state now; must not raise.
        told: is told it, from a thread of its own; must not raise.
        every_s: seconds between two looks.
    """
    over = threading.Event()

    def watch() -> None:
        wait_s = min(_FIRST_S, every_s)
        while not over.wait(wait_s):
            status = look()
            if over.is_set():
                return
            told(status)
            if status.state.is_final:
                return
            wait_s = every_s

    # A look that hangs must not keep the pipeline from going on.
    threading.Thread(target=watch, name="job state", daemon=True).start()
    try:
        yield
    finally:
        over.set()
