"""95 % intervals by the bootstrap over patients: patients are drawn with replacement, with all their images.

Images of one patient resemble each other; drawing images would make the intervals too narrow.
Efron, "Better Bootstrap Confidence Intervals", JASA 1987 (BCa); Field and Welsh, JRSS-B 2007 (clusters).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from isocenter.domain.evaluation import MetricName
from isocenter_training.evaluation.flawless import LEVEL, flawless_intervals
from isocenter_training.evaluation.metrics import METRICS, Sample, resampled_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Interval = tuple[float, float] | None

# An interval out of the lucky resamples only would be too narrow.
DEFINED_SHARE = 0.9
JACKKNIFE_GROUPS = 200
_CELLS = 4_000_000


def draw_patients(patients: int, replicates: int, seed: int) -> "NDArray[np.uint16]":
    """Draw ``patients`` patients with replacement, ``replicates`` times.

    Returns:
        uint16 [replicates, patients]: how often each patient was drawn; each row sums to ``patients``.
    """
    generator = np.random.default_rng(seed)
    counts = np.zeros((replicates, patients), dtype=np.uint16)
    for row in counts:
        row += np.bincount(generator.integers(0, patients, patients), minlength=patients).astype(np.uint16)
    return counts


def intervals(sample: Sample, threshold: float, counts: "NDArray[np.uint16]") -> "dict[MetricName, Interval]":
    """The interval of each metric of ``sample``; None where under 90 % of the resamples define the metric.

    BCa for all but the expected calibration error. That one is a mean of absolute values: noise only ever
    adds to it, and resampling adds the same again, so its interval is reflected about the estimate (basic
    bootstrap). Where not one error was seen, see :mod:`.flawless`. docs/decisions/evaluation.md has the
    measured coverage.

    Args:
        sample: the images of a split or slice.
        threshold: positive when score >= threshold.
        counts: of :func:`draw_patients`, for the patients of the whole split.
    """
    estimate = resampled_metrics(sample, np.ones((1, len(sample.labels))), threshold)
    resampled = _in_chunks(sample, threshold, counts)
    left_out = _in_chunks(sample, threshold, _jackknife_counts(sample.patients, counts.shape[1]))
    found = {
        name: _interval(_METHODS.get(name, _bca), float(estimate[name][0]), resampled[name], left_out[name])
        for name in METRICS
    }
    return found | flawless_intervals(sample, {name: float(estimate[name][0]) for name in METRICS})


def _in_chunks(
    sample: Sample, threshold: float, counts: "NDArray[np.uint16]"
) -> "dict[MetricName, NDArray[np.float64]]":
    """Bounded memory: some rows of weights at a time."""
    rows = max(1, _CELLS // max(1, len(sample.labels)))
    parts = [
        resampled_metrics(sample, counts[start : start + rows, sample.patients].astype(np.float64), threshold)
        for start in range(0, len(counts), rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def _jackknife_counts(patients: "NDArray[np.int64]", total: int) -> "NDArray[np.uint16]":
    """Rows that leave out one patient each, or one of 200 groups of patients."""
    present = np.unique(patients)
    groups = min(len(present), JACKKNIFE_GROUPS)
    counts = np.ones((groups, total), dtype=np.uint16)
    counts[np.arange(len(present)) % groups, present] = 0
    return counts


def _interval(
    method: "Callable[[float, NDArray[np.float64], NDArray[np.float64]], Interval]",
    estimate: float,
    resampled: "NDArray[np.float64]",
    left_out: "NDArray[np.float64]",
) -> "Interval":
    defined = resampled[np.isfinite(resampled)]
    if not np.isfinite(estimate) or len(defined) < DEFINED_SHARE * len(resampled):
        return None
    return method(estimate, defined, left_out[np.isfinite(left_out)])


def _bca(estimate: float, resampled: "NDArray[np.float64]", left_out: "NDArray[np.float64]") -> "Interval":
    """Bias-corrected and accelerated: Efron 1987, section 3; ties with the estimate count half."""
    from scipy.special import ndtr, ndtri

    near = np.isclose(resampled, estimate, rtol=0, atol=1e-12)
    below = ((resampled < estimate) & ~near).mean() + near.mean() / 2
    bias = ndtri(np.clip(below, 1 / len(resampled), 1 - 1 / len(resampled)))
    deviation = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((deviation**2).sum())
    acceleration = (deviation**3).sum() / (6 * spread**1.5) if spread > 1e-24 else 0.0
    shifted = bias + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    levels = ndtr(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(resampled, levels)
    return float(min(low, high)), float(max(low, high))


def _basic(estimate: float, resampled: "NDArray[np.float64]", left_out: "NDArray[np.float64]") -> "Interval":
    """Reflected about the estimate, kept within 0..1: Davison and Hinkley 1997, section 5.2."""
    high, low = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(np.clip(2 * estimate - low, 0, 1)), float(np.clip(2 * estimate - high, 0, 1))


_METHODS = {"expected_calibration_error": _basic}
