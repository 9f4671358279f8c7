"""One image of a request, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from isocenter_serving.answer import Prediction, Refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocenter.imaging.radiograph import AcquisitionAttributes
    from isocenter_serving.features import Features

    Tile = NDArray[np.uint16]

ABSTAINED = "abstained"


@dataclass(frozen=True, repr=False)
class Instance:
    """One image as it came; one of the first two is there.

    Args:
        dicom: bytes of a DICOM instance.
        pixels: rows of display values, 0..1, 1 is white.
        fault: why it can't even be looked at.
    """

    dicom: bytes | None = None
    pixels: Sequence[Sequence[float]] | None = None
    fault: Refusal | None = None


@dataclass(repr=False)
class Served:
    """One image on its way through; hooks may look at all of it and set what is said last.

    Args:
        request_id: names the request; several images may share it.
        instance: the image as it came.
        tile: what the network sees; None where the image was refused.
        attributes: how it was made; None for an array.
        features: what is kept of the image.
        outcome: the model's answer.
        verdict: what was found about the image; goes into the answer.
        reasons: codes; where there are any, the model abstains.
    """

    request_id: str
    instance: Instance
    tile: "Tile | None" = None
    attributes: "AcquisitionAttributes | None" = None
    features: "Features | None" = None
    outcome: Prediction | Refusal | None = None
    verdict: Mapping[str, Any] | None = None
    reasons: Sequence[str] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The answer's JSON-able fields."""
        if self.outcome is None:
            raise RuntimeError("an image that has no outcome yet is answered")
        own = {"verdict": self.verdict, "request_id": self.request_id}
        if isinstance(self.outcome, Refusal):
            return {**self.outcome.as_json(), "request_id": self.request_id}
        said = {"decision": ABSTAINED, "reasons": list(self.reasons)} if self.reasons else {"reasons": []}
        return {**self.outcome.as_json(), **said, **own}


class Hook(Protocol):
    """What else is done with each image. Both methods run in the decoding thread, one image at a time."""

    def examine(self, served: Served) -> None:
        """Look at a decoded image before it is scored; ``verdict`` and ``reasons`` may be set."""

    def keep(self, served: Served) -> None:
        """Look at an answered image. What this raises is counted, and the answer goes out all the same."""

    def close(self) -> None:
        """The last image has been kept."""
