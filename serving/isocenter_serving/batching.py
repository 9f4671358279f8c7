"""Images of different requests in one call of the network, without keeping any of them waiting for long.

When the network is free, an image waits for company at most ``wait_s``, and only while other images are known
to be on their way; when it is busy, whatever has come meanwhile goes together into the next call. So an image
that has been decoded is in the network after at most ``wait_s`` and the calls that were ahead of it.

Explanations need many calls and are in no hurry: they get the network only while no image waits, one short
call after the other.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from isocenter_serving.settings import Batching

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tile = NDArray[np.uint16]
    Score = Callable[[NDArray[np.uint16]], NDArray[np.float64]]

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Waiting:
    tile: "Tile"
    score: asyncio.Future[float]
    since: float


@dataclass(frozen=True)
class _Aside:
    work: Callable[[], Any]
    result: asyncio.Future[Any]


class Batcher:
    """Scores tiles in batches, in a thread of its own.

    Args:
        score: calibrated scores [N] of tiles [N, S, S].
        batching: how large, how long.
        on_batch: told each batch's size and the seconds that it took.
    """

    def __init__(
        self, score: "Score", batching: Batching, on_batch: Callable[[int, float], None] = lambda *_: None
    ) -> None:
        self._score, self._batching, self._on_batch = score, batching, on_batch
        self._waiting: deque[_Waiting] = deque()
        self._asides: deque[_Aside] = deque()
        self._changed = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._task: asyncio.Task[None] | None = None
        self._on_their_way = 0

    def start(self) -> None:
        """Begin; in the event loop that will ask."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, when nothing waits any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown()

    def expect(self, images: int) -> None:
        """Say that so many more images will come (or, below 0, that they have or won't)."""
        self._on_their_way += images
        self._changed.set()

    async def score(self, tile: "Tile") -> float:
        """The tile's score. Cancelling this takes the tile out, if it isn't in the network yet."""
        waiting = _Waiting(tile, asyncio.get_running_loop().create_future(), time.monotonic())
        self._waiting.append(waiting)
        self._changed.set()
        return await waiting.score

    async def aside(self, work: Callable[[], _Result]) -> _Result:
        """The result of ``work``, which runs in the network's thread when no image waits for it.

        An image that comes meanwhile waits for it, so it must be short. Cancelling this takes it out, if it
        doesn't run yet.
        """
        aside = _Aside(work, asyncio.get_running_loop().create_future())
        self._asides.append(aside)
        self._changed.set()
        result: _Result = await aside.result
        return result

    async def _run(self) -> None:
        while True:
            batch = await self._collect()
            if batch:
                await self._score_batch(batch)
            elif self._asides:
                await self._run_aside(self._asides.popleft())

    async def _collect(self) -> list[_Waiting]:
        while not self._is_due():
            if self._asides and not self._waiting:
                return []
            self._changed.clear()
            left = (
                self._waiting[0].since + self._batching.wait_s - time.monotonic() if self._waiting else None
            )
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        wanted: list[_Waiting] = []
        while self._waiting and len(wanted) < self._batching.size:
            each = self._waiting.popleft()
            if not each.score.done():
                wanted.append(each)
        return wanted

    def _is_due(self) -> bool:
        count = len(self._waiting)
        if not count:
            return False
        waited = time.monotonic() - self._waiting[0].since
        return count >= self._batching.size or not self._on_their_way or waited >= self._batching.wait_s

    async def _score_batch(self, batch: list[_Waiting]) -> None:
        import numpy as np

        began = time.monotonic()
        tiles = np.stack([each.tile for each in batch])
        try:
            scores = await asyncio.get_running_loop().run_in_executor(self._pool, self._score, tiles)
        except Exception as error:  # each of them must hear of it
            for each in batch:
                if not each.score.done():
                    each.score.set_exception(error)
            return
        self._on_batch(len(batch), time.monotonic() - began)
        for each, score in zip(batch, scores, strict=True):
            if not each.score.done():
                each.score.set_result(float(score))

    async def _run_aside(self, aside: _Aside) -> None:
        if aside.result.done():
            return
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, aside.work)
        except Exception as error:  # whoever waits for it must hear of it
            if not aside.result.done():
                aside.result.set_exception(error)
            return
        if not aside.result.done():
            aside.result.set_result(result)
