"""Numbers that describe one tile: intensity and quality. The ReferenceProfile holds them for the training
images, drift detection computes the same of new ones."""

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.unit_range import TOP

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
STATISTICS = (
    "mean",
    "deviation",
    *(f"percentile_{level:02d}" for level in PERCENTILES),
    "entropy",
    "sharpness",
    "noise",
    "clipped_low",
    "clipped_high",
    "border_fraction",
)
_HISTOGRAM_BINS = 256


def tile_statistics(tile: NDArray[np.uint16]) -> dict[str, float]:
    """The numbers of :data:`STATISTICS` for one tile of :func:`.prepare`.

    All but ``border_fraction`` are of the content, the tile less its black border, so that an image's shape
    (and the letterbox that it causes) doesn't pass for its brightness or its edges.

    - ``mean``, ``deviation``, ``percentile_NN``: of intensity, 0..1.
    - ``entropy``: bits, of the histogram in 256 bins (Shannon 1948).
    - ``sharpness``: variance of the 4-neighbour Laplacian (Pech-Pacheco et al., ICPR 2000).
    - ``noise``: standard deviation by Immerkær's mask (Immerkær, CVIU 1996).
    - ``clipped_low``, ``clipped_high``: share of pixels at 0 and at 1.
    - ``border_fraction``: share of the tile in all-zero outer rows and columns: letterbox and collimation.

    Args:
        tile: uint16 [S, S].
    """
    content = _without_border(tile)
    values = content.astype(np.int32)
    return {
        "mean": float(values.mean()) / TOP,
        "deviation": float(values.std()) / TOP,
        **_percentiles(content),
        "entropy": _entropy(content),
        "sharpness": float(_laplacian(values).var()) / TOP**2 if min(values.shape) > 2 else 0.0,
        "noise": _noise(values) / TOP if min(values.shape) > 2 else 0.0,
        "clipped_low": float((content == 0).mean()),
        "clipped_high": float((content == TOP).mean()),
        "border_fraction": 1 - content.size / tile.size if content.any() else 1.0,
    }


def _percentiles(content: NDArray[np.uint16]) -> dict[str, float]:
    """Linear between neighbours, as numpy's, of 16-bit values: those are sorted in a tenth of the time."""
    ordered = np.sort(content, axis=None)
    places = np.array(PERCENTILES) / 100 * (len(ordered) - 1)
    below = places.astype(np.int64)
    low, high = ordered[below].astype(np.float64), ordered[np.minimum(below + 1, len(ordered) - 1)]
    levels = (low + (high - low) * (places - below)) / TOP
    return {f"percentile_{level:02d}": float(value) for level, value in zip(PERCENTILES, levels, strict=True)}


def _without_border(tile: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The tile less outer rows and columns of zeros; an all-zero tile as it is."""
    rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
    if not len(rows):
        return tile
    return tile[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _entropy(content: NDArray[np.uint16]) -> float:
    counts = np.bincount((content >> 8).ravel(), minlength=_HISTOGRAM_BINS)
    shares = counts[counts > 0] / content.size
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def _laplacian(values: NDArray[np.int32]) -> NDArray[np.int32]:
    middle = values[1:-1, 1:-1]
    return values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * middle


def _noise(values: NDArray[np.int32]) -> float:
    """Mean absolute response of [[1,-2,1],[-2,4,-2],[1,-2,1]], scaled to a Gaussian's deviation."""
    across = values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:]
    response = across[:-2] - 2 * across[1:-1] + across[2:]
    return float(np.sqrt(np.pi / 2) * np.abs(response).mean() / 6)
