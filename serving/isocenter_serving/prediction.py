"""A request's images, from admission to answers: what every route has in common."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from isocenter.errors import IntegrityError
from isocenter_serving.batching import Batcher
from isocenter_serving.decoding import decode
from isocenter_serving.explaining import Explainer
from isocenter_serving.instance import Hook, Instance, Served
from isocenter_serving.limits import Holdings
from isocenter_serving.metrics import Metrics
from isocenter_serving.problem import Problem
from isocenter_serving.settings import ServingSettings
from isocenter_serving.tracing import Tracing

if TYPE_CHECKING:
    from isocenter_serving.predictor import Predictor

_Asked = TypeVar("_Asked")


class Prediction:
    """The images of all requests of one worker process.

    Args:
        predictor: the loaded model.
        settings: bounds and batching.
        hooks: what else is done with each image.
        metrics: where it is counted.
        tracing: where its steps are shown.
    """

    def __init__(
        self,
        predictor: "Predictor",
        settings: ServingSettings,
        hooks: Sequence[Hook],
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self.predictor = predictor
        self._limits, self._hooks, self._metrics, self._tracing = settings.limits, hooks, metrics, tracing
        self._queue = Holdings(
            self._limits.queue_images, "queue-full", "Too many images are waiting; come again a little later."
        )
        self._batch_size = settings.batching.size
        self._batcher = Batcher(predictor.score, settings.batching, metrics.batch)
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decoding")
        self.explainer = Explainer(predictor, self._batcher, self._limits, metrics)

    def start(self) -> None:
        """Begin, in the event loop that will ask."""
        self._batcher.start()

    async def warm_up(self) -> None:
        """Decode and score a blank image, alone and in a batch: what is slow at first is slow now.

        Neither metrics nor hooks see it.

        Raises:
            IntegrityError: the network fails.
        """
        import numpy as np

        side = self.predictor.bundle.preprocessing.image_size
        blank = Served("", Instance(pixels=np.full((side, side), 0.5, np.float32)))
        await self._in_decoder(decode, blank, side, self._limits.pixels)
        if blank.tile is None:
            raise IntegrityError("The blank image can't be prepared.")
        for size in (1, self._batch_size):
            await self._in_decoder(self.predictor.score, np.stack([blank.tile] * size))

    async def stop(self) -> None:
        """End."""
        await self._batcher.stop()
        self._decoder.shutdown()
        self.explainer.stop()

    async def predict(
        self,
        request_id: str,
        parse: Callable[[], tuple[_Asked, Sequence[Instance]]],
        deadline: float,
        *,
        is_kept: bool = True,
    ) -> tuple[_Asked, list[Served]]:
        """What ``parse`` says besides the images, and what becomes of each of them, in order.

        Args:
            request_id: names the request.
            parse: finds the images in the request's body; runs in the decoding thread.
            deadline: by ``time.monotonic()``.
            is_kept: whether features may be kept.

        Raises:
            Problem: 429 (queue full), 504 (past the deadline), or what ``parse`` raises.
        """
        with self._queue.holding(1):
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    asked, instances = await self._in_decoder(parse)
                    return asked, await self._predict_all(request_id, instances, is_kept)
            except TimeoutError:
                raise Problem(504, "deadline", "There was no answer before the deadline.") from None

    async def _predict_all(
        self, request_id: str, instances: Sequence[Instance], is_kept: bool
    ) -> list[Served]:
        if len(instances) > self._limits.images:
            raise Problem(413, "too-many-images", f"A request has at most {self._limits.images} images here.")
        with self._queue.holding(len(instances) - 1):
            self._metrics.queue(self._queue.held)
            served = [Served(request_id, instance, is_kept=is_kept) for instance in instances]
            async with asyncio.TaskGroup() as group:
                for each in served:
                    group.create_task(self._predict_one(each))
            self._metrics.queue(self._queue.held - len(instances))
        return served

    async def _predict_one(self, served: Served) -> None:
        self._batcher.expect(1)
        try:
            with self._tracing.step("decode"):
                await self._in_decoder(self._decode, served)
        finally:
            self._batcher.expect(-1)
        if served.tile is not None:
            with self._tracing.step("score"):
                score = await self._batcher.score(served.tile)
            served.outcome = self.predictor.decide(score)
        if self._hooks:
            await self._in_decoder(self._keep, served)
        self._metrics.image(served)

    async def _in_decoder(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._decoder, work, *arguments)

    def _decode(self, served: Served) -> None:
        began = time.monotonic()
        size = self.predictor.bundle.preprocessing.image_size
        decode(served, size, self._limits.pixels)
        if served.tile is not None:
            for hook in self._hooks:
                hook.examine(served)
        self._metrics.decoded(time.monotonic() - began)

    def _keep(self, served: Served) -> None:
        for hook in self._hooks:
            try:
                hook.keep(served)
            except Exception:  # an answer doesn't fail because it can't be kept
                self._metrics.hook_failed(type(hook).__name__)
