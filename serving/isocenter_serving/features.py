"""What is kept of an image: the attributes and numbers that the ReferenceProfile holds, no identity.

No pixel, no identifier, no date: enough to see drift, too little to see a patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocenter.imaging.radiograph import AcquisitionAttributes

COUNTED = (
    "sex", "view", "scanner", "modality", "body_part", "photometric", "bits_stored", "transfer_syntax",
    "presentation_intent",
)  # fmt: skip
MEASURED = ("rows", "columns", "pixel_spacing_mm", "kvp", "exposure_mas")
_HISTOGRAM_BINS = 32
_DIGITS = 6


@dataclass(frozen=True)
class Features:
    """One image, described.

    Args:
        attributes: by name in the profile; empty where the file doesn't say, or there was no file.
        measurements: likewise; None where unknown.
        statistics: of :data:`isocenter.imaging.statistics.STATISTICS`.
        intensity: share of pixels in each of 32 equal bins of intensity.
    """

    attributes: Mapping[str, str]
    measurements: Mapping[str, float | None]
    statistics: Mapping[str, float]
    intensity: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields, numbers to six digits."""
        return {
            "attributes": dict(self.attributes),
            "measurements": {name: _rounded(value) for name, value in self.measurements.items()},
            "statistics": {name: _rounded(value) for name, value in self.statistics.items()},
            "intensity": [_rounded(value) for value in self.intensity],
        }


def features_of(tile: "NDArray[np.uint16]", attributes: "AcquisitionAttributes | None") -> Features:
    """Describe one image.

    Args:
        tile: uint16 [S, S], as :func:`isocenter.imaging.prepare` makes it.
        attributes: of its file; None for an array that came without one.
    """
    import numpy as np

    from isocenter.imaging.statistics import tile_statistics

    counts = np.bincount(tile.ravel() // (65536 // _HISTOGRAM_BINS), minlength=_HISTOGRAM_BINS)
    return Features(
        attributes=_counted(attributes),
        measurements={name: getattr(attributes, name, None) for name in MEASURED},
        statistics=tile_statistics(tile),
        intensity=tuple((counts / tile.size).tolist()),
    )


def _counted(attributes: "AcquisitionAttributes | None") -> dict[str, str]:
    from isocenter.datasets.manifest import age_band

    if attributes is None:
        return dict.fromkeys((*COUNTED, "age_band"), "")
    return {name: str(getattr(attributes, name)) for name in COUNTED} | {
        "age_band": age_band(attributes.age_years)
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
