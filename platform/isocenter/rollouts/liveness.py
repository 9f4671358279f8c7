"""Whether a new version's processes are up while its gates are watched."""

import time
from collections.abc import Callable

from isocenter.domain.rollout import Endpoint, EndpointState

_DOWN = ("starting", "failed")
_LOOKS = 10
"""While a version is down for as long as is allowed; services bound how often they are asked."""


class Liveness:
    """How long a version that was ready has been down.

    Args:
        describe: asks the service.
        reference: ``name:number``.
        allowed_s: so long it may be down, e.g. to be started again once.
    """

    def __init__(self, describe: Callable[[], Endpoint | None], reference: str, allowed_s: float) -> None:
        self._describe, self._reference, self._allowed_s = describe, reference, allowed_s
        self._next_look = 0.0
        self._down_since: float | None = None

    def problem(self) -> str | None:
        """What is wrong, in a sentence or two; None while it is up, or not down for long."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + self._allowed_s / _LOOKS
        endpoint = self._describe()
        if endpoint is None or not self._is_down(endpoint):
            self._down_since = None
            return None
        self._down_since = self._down_since or now
        if now - self._down_since < self._allowed_s:
            return None
        return f"its processes have been down for {self._allowed_s:g} s. {endpoint.reason}".rstrip()

    def _is_down(self, endpoint: Endpoint) -> bool:
        if endpoint.state is EndpointState.STOPPED:
            return True
        found = [each for each in endpoint.variants if each.reference == self._reference]
        return bool(found) and all(each.state in _DOWN and not each.instances for each in found)
