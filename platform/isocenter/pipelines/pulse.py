"""The state of a job that is followed, told now and then: its log may be silent for hours."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isocenter.domain.run import JobStatus


@contextmanager
def states_told(
    look: Callable[[], JobStatus], told: Callable[[JobStatus], None], *, every_s: float
) -> Iterator[None]:
    """Look at once and then every ``every_s`` seconds, until the ``with`` block or the job ends.

    Args:
        look: the state now; must not raise.
        told: is told it, from a thread of its own; must not raise.
        every_s: seconds between two looks.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            status = look()
            if over.is_set():
                return
            told(status)
            if status.state.is_final:
                return
            over.wait(every_s)

    # A look that hangs must not keep the pipeline from going on.
    threading.Thread(target=watch, name="job state", daemon=True).start()
    try:
        yield
    finally:
        over.set()
