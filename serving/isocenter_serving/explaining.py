"""Explanations and DICOM results of one worker: few at a time, and never ahead of a prediction."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from isocenter.errors import InputError
from isocenter_serving import __version__
from isocenter_serving.answer import Prediction
from isocenter_serving.batching import Batcher
from isocenter_serving.explanation import as_png, drops_of, occlusions, overlay
from isocenter_serving.instance import Served
from isocenter_serving.limits import Holdings, Limits
from isocenter_serving.metrics import Metrics
from isocenter_serving.problem import Problem
from isocenter_serving.verdict import Verdict

if TYPE_CHECKING:
    from isocenter_serving.explanation import Picture
    from isocenter_serving.predictor import Predictor

_Result = TypeVar("_Result")


class Explainer:
    """Makes pictures and DICOM files of answers.

    Args:
        predictor: the loaded model.
        batcher: lends the network while no image waits for it.
        limits: how many at once.
        metrics: where they are counted.
    """

    def __init__(self, predictor: "Predictor", batcher: Batcher, limits: Limits, metrics: Metrics) -> None:
        self._predictor, self._batcher, self._metrics = predictor, batcher, metrics
        again = "being made; come again a little later."
        self._pictures = Holdings(
            limits.explanations, "explanations-busy", f"Too many explanations are {again}"
        )
        self._files = Holdings(limits.results, "results-busy", f"Too many results are {again}")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="results")

    def stop(self) -> None:
        """End."""
        self._writer.shutdown()

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Hold the place of one explanation for the length of the ``with`` block.

        Raises:
            Problem: 429; there is no room.
        """
        with self._pictures.holding(1):
            began = time.monotonic()
            yield
            self._metrics.explained(time.monotonic() - began)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Hold the place of one DICOM file likewise."""
        with self._files.holding(1):
            yield

    async def picture(self, served: Served) -> "Picture":
        """The image, tinted where its score comes from.

        Raises:
            Problem: 422; the model abstains, so there is no score to explain.
        """
        tile, answer = served.tile, _answer_of(served)
        if tile is None:
            raise RuntimeError("an image that was scored has no tile")
        if served.reasons:
            detail = f"The model abstains ({', '.join(served.reasons)}): there is no score to explain."
            raise Problem(422, "abstained", detail)
        scores = [
            await self._batcher.aside(partial(self._predictor.score, tiles)) for tiles in occlusions(tile)
        ]
        return await self._write(overlay, tile, drops_of(answer.score, scores))

    async def png(self, picture: "Picture") -> bytes:
        """``picture`` as a file."""
        return await self._write(as_png, picture)

    async def secondary_capture(self, served: Served, picture: "Picture") -> bytes:
        """``picture`` as a DICOM file of the image's patient and study.

        Raises:
            Problem: 422; the image's header doesn't allow one.
        """
        return await self._write_result(_secondary_capture, served, picture)

    async def structured_report(self, served: Served) -> bytes:
        """The answer as a DICOM file likewise.

        Raises:
            Problem: 422; the image's header doesn't allow one.
        """
        return await self._write_result(_structured_report, served)

    async def _write_result(self, make: Callable[..., bytes], *arguments: Any) -> bytes:
        try:
            return await self._write(make, *arguments)
        except InputError as error:
            raise Problem(422, "no-dicom-result", error.message) from None

    async def _write(self, make: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, make, *arguments)


def _structured_report(served: Served) -> bytes:
    from isocenter_serving.dicom_results import read_source, structured_report

    source = read_source(served.instance.dicom or b"")
    return structured_report(source, _answer_of(served), served.verdict or Verdict(), version=__version__)


def _secondary_capture(served: Served, picture: "Picture") -> bytes:
    from isocenter_serving.dicom_results import read_source, secondary_capture

    return secondary_capture(read_source(served.instance.dicom or b""), picture, _answer_of(served))


def _answer_of(served: Served) -> Prediction:
    if not isinstance(served.outcome, Prediction):
        raise RuntimeError("an image without an answer is explained")
    return served.outcome
