"""A service that doesn't answer: how long that is borne, and what whoever waits is told meanwhile."""

import time
from collections.abc import Callable

DEADLINE_S = 600.0
_TOLD_EVERY_S = 60.0


class Outage:
    """The time in which a service can't be asked.

    Args:
        say: gets a sentence at the first fault, one each minute after it, and one when all is well again.
        deadline_s: so long it is borne.
    """

    def __init__(self, say: Callable[[str], None], deadline_s: float = DEADLINE_S) -> None:
        self._say = say
        self._deadline_s = deadline_s
        self._since: float | None = None
        self._told = 0.0

    def met(self, fault: str) -> bool:
        """Take note of a fault; whether to ask again."""
        now = time.monotonic()
        if self._since is None:
            self._since = self._told = now
            self._say(f"{fault} Asking again for {_duration(self._deadline_s)}.")
        elif now - self._told >= _TOLD_EVERY_S:
            self._told = now
            left = max(0.0, self._deadline_s - (now - self._since))
            self._say(
                f"{fault} So it is since {_duration(now - self._since)}; given up in {_duration(left)}."
            )
        return now - self._since < self._deadline_s

    def ended(self) -> None:
        """Take note that the service answers."""
        if self._since is not None:
            self._say(f"An answer, after {_duration(time.monotonic() - self._since)}.")
        self._since = None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
