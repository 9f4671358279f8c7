"""ROC and precision-recall curves with pointwise 95 % bands over resampled patients."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocenter_training.evaluation.flawless import LEVEL
from isocenter_training.evaluation.metrics import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Steps = tuple[NDArray[np.float64], NDArray[np.float64]]

GRID = np.linspace(0, 1, 101)
_RESAMPLES = 500


@dataclass(frozen=True)
class Curve:
    """A curve and its band.

    Args:
        x: float64 [K], false-positive rate or recall, rising.
        y: float64 [K], sensitivity or precision.
        low: float64 [101], band on ``GRID``; empty where the resamples lack a class.
        high: as ``low``.
    """

    x: "NDArray[np.float64]"
    y: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    high: "NDArray[np.float64]"


def roc_curve(sample: Sample, counts: "NDArray[np.uint16]") -> Curve:
    """Sensitivity over false-positive rate; ``counts`` as in :func:`.bootstrap.intervals`."""
    return _curve(sample, counts, _roc)


def precision_recall_curve(sample: Sample, counts: "NDArray[np.uint16]") -> Curve:
    """Precision over recall; ``counts`` as in :func:`.bootstrap.intervals`."""
    return _curve(sample, counts, _precision_recall)


def _curve(
    sample: Sample, counts: "NDArray[np.uint16]", steps: "Callable[[Sample, NDArray[np.float64]], Steps]"
) -> Curve:
    order = np.argsort(-sample.scores, kind="stable")
    ordered = sample.take(order)
    rows = []
    for row in counts[:_RESAMPLES]:
        x, y = steps(ordered, row[ordered.patients].astype(np.float64))
        if len(x):
            rows.append(np.interp(GRID, x, y))
    x, y = steps(ordered, np.ones(len(order)))
    if not rows:
        return Curve(x, y, np.empty(0), np.empty(0))
    low, high = np.quantile(rows, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Curve(x, y, low, high)


def _counted(
    ordered: Sample, weights: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """True and false positives with rising leniency, one step a distinct score."""
    last = np.flatnonzero(np.diff(ordered.scores, append=-np.inf))
    positive = ordered.labels == 1
    return np.cumsum(weights * positive)[last], np.cumsum(weights * ~positive)[last]


def _roc(ordered: Sample, weights: "NDArray[np.float64]") -> "Steps":
    hits, false = _counted(ordered, weights)
    if hits[-1] == 0 or false[-1] == 0:
        return np.empty(0), np.empty(0)
    return np.append(0, false / false[-1]), np.append(0, hits / hits[-1])


def _precision_recall(ordered: Sample, weights: "NDArray[np.float64]") -> "Steps":
    hits, false = _counted(ordered, weights)
    if hits[-1] == 0 or false[-1] == 0:
        return np.empty(0), np.empty(0)
    called = np.maximum(hits + false, 1e-300)
    first = hits[np.flatnonzero(hits + false)[0]] > 0
    precision = np.where(hits + false > 0, hits / called, float(first))
    return np.append(0, hits / hits[-1]), np.append(precision[0], precision)
