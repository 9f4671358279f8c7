"""One image of a request, and what became of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from isocenter_serving.answer import Prediction, Refusal
from isocenter_serving.verdict import Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocenter.imaging.radiograph import AcquisitionAttributes
    from isocenter_serving.features import Features

    Tile = NDArray[np.uint16]
    Pixels = NDArray[np.float32]

ABSTAINED = "abstained"


@dataclass(frozen=True, repr=False)
class Instance:
    """One image as it came; one of the first two is there.

    Args:
        dicom: bytes of a DICOM instance.
        pixels: float32 [rows, columns] of display values, 0..1, 1 is white.
        fault: why it can't even be looked at.
    """

    dicom: bytes | None = None
    pixels: "Pixels | None" = None
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
        verdict: what was found about the image; goes into the answer, and may make the model abstain.
        is_kept: whether features may be kept; not of a copy, whose original another version has answered.
    """

    request_id: str
    instance: Instance
    tile: "Tile | None" = None
    attributes: "AcquisitionAttributes | None" = None
    features: "Features | None" = None
    outcome: Prediction | Refusal | None = None
    verdict: Verdict | None = None
    is_kept: bool = True

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of why the model abstains; empty where it decides."""
        return () if self.verdict is None else self.verdict.reasons

    def as_json(self, *, shows_withheld: bool = False) -> dict[str, Any]:
        """The answer's JSON-able fields.

        Args:
            shows_withheld: whether there is a score also where the model abstains. Nobody is to decide by
                it, so it is not there unless a caller who may see it asks.
        """
        if self.outcome is None:
            raise RuntimeError("an image that has no outcome yet is answered")
        if isinstance(self.outcome, Refusal):
            return {**self.outcome.as_json(), "request_id": self.request_id}
        said = {**self.outcome.as_json(), "reasons": list(self.reasons)}
        if self.reasons:
            said |= {"decision": ABSTAINED} | ({} if shows_withheld else {"score": None})
        verdict = None if self.verdict is None else self.verdict.as_json()
        return {**said, "verdict": verdict, "request_id": self.request_id}


class Hook(Protocol):
    """What else is done with each image. Both methods run in the decoding thread, one image at a time."""

    def examine(self, served: Served) -> None:
        """Look at a decoded image before it is scored; ``verdict`` may be set."""

    def keep(self, served: Served) -> None:
        """Look at an answered image. What this raises is counted, and the answer goes out all the same."""

    def close(self) -> None:
        """The last image has been kept."""
