"""From DICOM to an answer, in the steps that an endpoint needs one by one: decode, score, decide."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from isocenter_serving.answer import Answer, ModelIdentity, Prediction, Refusal
from isocenter_serving.network import Network
from isocenter_serving.served_bundle import open_bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tile = NDArray[np.uint16]

Source = Path | bytes | BinaryIO
_Item = TypeVar("_Item")


class Predictor:
    """A loaded model that answers. It keeps no state between calls, so threads may share it.

    Pixels go through :func:`isocenter.imaging.read_radiograph` and :func:`~isocenter.imaging.prepare`, as
    they did in training; the score through the temperature and threshold registered with the model.

    Args:
        bundle_dir: directory of the bundle.
        expected_digest: digest that the bundle's files must have; None takes them as they are.
        name: the model's registered name, for the answers.
        version: its version's number, for the answers.
        threads: threads of one call of the network; None: the cores this process may use, at most four.
        batch_size: images in one call of the network.

    Raises:
        InputError: the bundle lacks something or can't be understood.
        IntegrityError: its files are not those of ``expected_digest``, or its network can't be loaded.
    """

    def __init__(
        self,
        bundle_dir: Path,
        *,
        expected_digest: str | None = None,
        name: str | None = None,
        version: int | None = None,
        threads: int | None = None,
        batch_size: int = 16,
    ) -> None:
        self.bundle = open_bundle(bundle_dir, expected_digest)
        self.model = ModelIdentity(name, version, self.bundle.digest)
        self.batch_size = batch_size
        self._network = Network(self.bundle.onnx, self.bundle.preprocessing.image_size, threads)

    def predict(self, sources: Iterable[Source]) -> Iterator[Answer]:
        """One answer for each of ``sources``, in their order, as batches get done.

        Args:
            sources: files, bytes or binary streams of single DICOM instances; any number.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(self.batch_size, len(os.sched_getaffinity(0)))) as pool:
            for batch in _batches(sources, self.batch_size):
                yield from self.answer(list(pool.map(self.decode, batch)))

    def decode(self, source: Source) -> "Tile | Refusal":
        """The tile, uint16 [S, S], that the network sees of one DICOM instance; or why there is none."""
        from isocenter.imaging import Refused, prepare, read_radiograph

        try:
            pixels = read_radiograph(source).pixels
        except Refused as refused:
            return Refusal(str(refused.reason), refused.message)
        return prepare(pixels, self.bundle.preprocessing.image_size)

    def answer(self, tiles: "list[Tile | Refusal]") -> list[Answer]:
        """Answers for one batch of what :meth:`decode` gave, in its order; refusals pass through."""
        import numpy as np

        readable = [tile for tile in tiles if not isinstance(tile, Refusal)]
        scores = iter(self.score(np.stack(readable)) if readable else ())
        return [tile if isinstance(tile, Refusal) else self.decide(next(scores)) for tile in tiles]

    def score(self, tiles: "NDArray[np.uint16]") -> "NDArray[np.float64]":
        """Calibrated scores [N] of ``tiles``, uint16 [N, S, S].

        Raises:
            IntegrityError: the network fails.
        """
        from isocenter.imaging import to_unit

        return self.bundle.decision.scores(self._network.logits(to_unit(tiles)))

    def decide(self, score: float) -> Answer:
        """What a score means; a score that is no number is refused."""
        import math

        if not math.isfinite(score):
            return Refusal("no-finite-score", "The model gives no finite score for this image.")
        decision = self.bundle.decision
        called = decision.classes[int(score >= decision.threshold)]
        return Prediction(float(score), called, decision.threshold, self.model)


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
