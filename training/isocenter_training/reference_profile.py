"""The ReferenceProfile: what the training images looked like, for drift detection to compare new ones with.

It holds counts and distributions, nothing of a single image or patient. Each section is one function of
:data:`SECTIONS`; embeddings and scores become two more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.domain.dataset import Split
from isocenter.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isocenter.datasets import Dataset

SCHEMA_VERSION = 1
COUNTED = (
    "sex", "age_band", "view", "scanner", "modality", "body_part", "photometric", "bits_stored",
    "transfer_syntax", "presentation_intent",
)  # fmt: skip
MEASURED = ("rows", "columns", "pixel_spacing_mm", "kvp", "exposure_mas")
MOST_IMAGES = 5000
"""Images whose pixels are looked at; more don't change a quantile by a percent."""
QUANTILES = np.linspace(0, 1, 101)
HISTOGRAM_BINS = 32
_DIGITS = 6


@dataclass(frozen=True)
class TrainingImages:
    """What a section is made of.

    Args:
        dataset: the DatasetVersion.
        rows: int64 [N], rows of the training split.
        sampled: int64 [<= 5000], evenly spaced among ``rows``; the manifest is sorted by pixel digest, so
            this is a fixed random choice.
        image_size: rows and columns of the tiles that the network takes.
    """

    dataset: "Dataset"
    rows: "NDArray[np.int64]"
    sampled: "NDArray[np.int64]"
    image_size: int


def build(dataset: "Dataset", image_size: int | None = None) -> dict[str, Any]:
    """The profile of the training split as a JSON-able dict; the same dataset gives the same profile.

    Args:
        dataset: with pixels at ``image_size``.
        image_size: the network's; None: the only size that the dataset has.

    Raises:
        InputError: no training image, or ``image_size`` is None and the dataset has not exactly one size.
    """
    rows = dataset.rows(Split.TRAIN)
    if len(rows) == 0:
        raise InputError("The dataset has no training images.")
    spacing = np.linspace(0, len(rows) - 1, min(len(rows), MOST_IMAGES)).round().astype(np.int64)
    images = TrainingImages(dataset, rows, rows[spacing], image_size or _only_size(dataset))
    facts = {
        "schema_version": SCHEMA_VERSION,
        "dataset_digest": dataset.version.digest,
        "image_size": images.image_size,
        "images": len(rows),
        "patients": len(np.unique(dataset.column("patient_key")[rows])),
    }
    return facts | {name: section(images) for name, section in SECTIONS.items()}


def _only_size(dataset: "Dataset") -> int:
    if len(dataset.sizes) != 1:
        raise InputError(f"The dataset has pixels of {len(dataset.sizes)} sizes; say which one to profile.")
    return dataset.sizes[0]


def _labels(images: TrainingImages) -> dict[str, int]:
    """Images by class."""
    labels = images.dataset.column("label")[images.rows]
    return {name: int((labels == number).sum()) for number, name in enumerate(images.dataset.version.classes)}


def _attributes(images: TrainingImages) -> dict[str, dict[str, int]]:
    """Images by value of each counted attribute; the empty value means not recorded."""
    counts = {}
    for name in COUNTED:
        values, numbers = np.unique(images.dataset.column(name)[images.rows].astype(str), return_counts=True)
        counts[name] = {str(value): int(number) for value, number in zip(values, numbers, strict=True)}
    return counts


def _measurements(images: TrainingImages) -> dict[str, dict[str, Any]]:
    """Distribution of each measured attribute over the images that record it."""
    columns = {name: images.dataset.column(name)[images.rows].astype(np.float64) for name in MEASURED}
    return {name: describe(values) for name, values in columns.items()}


def _image_statistics(images: TrainingImages) -> dict[str, Any]:
    """Distribution of each statistic of :mod:`isocenter.imaging.statistics` over the sampled images."""
    from isocenter.imaging.statistics import STATISTICS, tile_statistics

    tiles = images.dataset.pixels(images.image_size)
    table = [tile_statistics(tiles[row]) for row in images.sampled]
    return {name: describe(np.array([row[name] for row in table])) for name in STATISTICS}


def _intensity(images: TrainingImages) -> dict[str, Any]:
    """Pooled histogram of the sampled tiles' intensities, letterbox and all, as shares of pixels."""
    tiles = images.dataset.pixels(images.image_size)
    counts = np.zeros(HISTOGRAM_BINS, dtype=np.int64)
    for row in images.sampled:
        counts += np.bincount(tiles[row].ravel() // (65536 // HISTOGRAM_BINS), minlength=HISTOGRAM_BINS)
    return {"from": 0.0, "to": 1.0, "shares": _rounded(counts / counts.sum())}


def describe(values: "NDArray[np.float64]") -> dict[str, Any]:
    """How ``values`` are distributed: counts, moments, 101 quantiles and a histogram over their range.

    The quantiles determine the distribution function to within a hundredth, which is what two-sample tests
    need; the raw values are not kept. NaN counts as missing.
    """
    known = values[np.isfinite(values)]
    summary: dict[str, Any] = {"count": len(known), "missing": len(values) - len(known)}
    if not len(known):
        return summary
    low, high = float(known.min()), float(known.max())
    counts, _ = np.histogram(known, bins=HISTOGRAM_BINS, range=(low, high if high > low else low + 1))
    return summary | {
        "mean": _rounded([known.mean()])[0],
        "deviation": _rounded([known.std()])[0],
        "quantiles": _rounded(np.quantile(known, QUANTILES)),
        "histogram": {"from": _rounded([low])[0], "to": _rounded([high])[0], "counts": counts.tolist()},
    }


def _rounded(values: Any) -> list[float]:
    """Six significant digits: the last bits differ between processors."""
    return [float(f"{value:.{_DIGITS}g}") for value in np.asarray(values, dtype=np.float64)]


SECTIONS: Mapping[str, Callable[[TrainingImages], dict[str, Any]]] = {
    "labels": _labels,
    "attributes": _attributes,
    "measurements": _measurements,
    "intensity": _intensity,
    "image_statistics": _image_statistics,
}
"""Name in the profile -> what makes it."""
