"""Copies of requests to versions whose answers nobody gets: they are only counted and compared."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from isocenter.servers.router.answers import Scored, scores_in
from isocenter.servers.router.tally import Tally
from isocenter.servers.router.upstream import BrokenError, Exchange, UnreachableError, Upstream


class Copies:
    """Sends copies in the background; what would be too many at once is left out.

    Args:
        most: copies in flight at once, for each version.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        key: str,
        upstream: Upstream,
        exchange: Exchange,
        answered: Sequence[Scored],
        tally: Tally,
        *,
        is_counted: bool,
    ) -> None:
        """Send a copy of ``exchange`` unless too many are under way.

        Args:
            key: of the version that gets it.
            upstream: that version.
            exchange: the request.
            answered: what the caller was answered.
            tally: where the comparison is counted.
            is_counted: whether request, error and latency are counted there too (a shadow's are).
        """
        if self._running[key] >= self._most:
            return
        self._running[key] += 1
        task = asyncio.create_task(self._send(upstream, exchange, answered, tally, is_counted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._running.subtract((key,)))

    async def close(self) -> None:
        """Give up those under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(
        self,
        upstream: Upstream,
        exchange: Exchange,
        answered: Sequence[Scored],
        tally: Tally,
        is_counted: bool,
    ) -> None:
        began = time.monotonic()
        status, scored = None, ()  # type: tuple[int | None, Sequence[Scored]]
        try:
            answer = await upstream.send(exchange, copy=True)
            status, scored = answer.status, scores_in(answer.body)
        except (BrokenError, UnreachableError, TimeoutError):
            pass
        if is_counted:
            tally.count(status, time.monotonic() - began, scored)
        tally.compare(scored, answered)
