"""95 % intervals by the bootstrap over patients: patients are drawn with replacement, with all their images.

Images of one patient resemble each other; drawing images would make the intervals too narrow.
Efron, "Better Bootstrap Confidence Intervals", JASA 1987 (BCa); Field and Welsh, JRSS-B 2007 (clusters).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from isocenter.domain.evaluation import MetricName
from isocenter_training.evaluation.flawless import LEVEL, flawless_intervals
from isocenter_training.evaluation.metrics import METRICS, Sample, calibration_gaps, resampled_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

Interval = tuple[float, float] | None
# An interval out of the lucky resamples only would be too narrow.
DEFINED_SHARE = 0.9
JACKKNIFE_GROUPS = 200
_NO_WIDTH = 1e-9
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


def intervals(sample: Sample, threshold: float, counts: "NDArray[np.uint16]") -> dict[MetricName, Interval]:
    """The interval of each metric of ``sample``.

    None where under 90 % of the resamples define the metric, and where all of them give the same: an interval
    of no width would claim certainty.

    BCa, but for the expected calibration error (:func:`_calibration_interval`) and where not one error was
    seen (:mod:`.flawless`). docs/decisions/evaluation.md has the measured coverage.

    Args:
        sample: the images of a split or slice.
        threshold: positive when score >= threshold.
        counts: of :func:`draw_patients`, for the patients of the whole split.
    """
    once = np.ones((1, counts.shape[1]), dtype=np.uint16)
    estimates, resampled, left_out = (
        _metrics(sample, threshold, rows)
        for rows in (once, counts, _jackknife_counts(sample.patients, counts))
    )
    found: dict[MetricName, Interval] = {
        name: _bca(float(estimates[name][0]), resampled[name], left_out[name])
        for name in METRICS
        if name != "expected_calibration_error"
    }
    found["expected_calibration_error"] = _calibration_interval(sample, counts)
    found = {name: interval if _has_width(interval) else None for name, interval in found.items()}
    return found | flawless_intervals(sample, {name: float(estimates[name][0]) for name in METRICS})


def _has_width(interval: Interval) -> bool:
    return interval is not None and interval[1] - interval[0] > _NO_WIDTH


def _metrics(
    sample: Sample, threshold: float, counts: "NDArray[np.uint16]"
) -> "dict[MetricName, NDArray[np.float64]]":
    parts = [resampled_metrics(sample, weights, threshold) for weights in _weights(sample, counts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def _weights(sample: Sample, counts: "NDArray[np.uint16]") -> "Iterator[NDArray[np.float64]]":
    """Each image's weight in each resample, some resamples at a time: memory stays bounded."""
    rows = max(1, _CELLS // max(1, len(sample.labels)))
    for start in range(0, len(counts), rows):
        yield counts[start : start + rows, sample.patients].astype(np.float64)


def _jackknife_counts(patients: "NDArray[np.int64]", counts: "NDArray[np.uint16]") -> "NDArray[np.uint16]":
    """Rows that leave out one of the sample's patients each, or one of 200 groups of them."""
    present = np.unique(patients)
    groups = min(len(present), JACKKNIFE_GROUPS)
    rows = np.ones((groups, counts.shape[1]), dtype=np.uint16)
    rows[np.arange(len(present)) % groups, present] = 0
    return rows


def _bca(estimate: float, resampled: "NDArray[np.float64]", left_out: "NDArray[np.float64]") -> Interval:
    """Bias-corrected and accelerated: Efron 1987, section 3; ties with the estimate count half."""
    from scipy.special import ndtr, ndtri

    defined = resampled[np.isfinite(resampled)]
    if not np.isfinite(estimate) or len(defined) < DEFINED_SHARE * len(resampled):
        return None
    near = np.isclose(defined, estimate, rtol=0, atol=1e-12)
    below = ((defined < estimate) & ~near).mean() + near.mean() / 2
    bias = ndtri(np.clip(below, 1 / len(defined), 1 - 1 / len(defined)))
    shifted = bias + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    levels = ndtr(bias + shifted / (1 - _acceleration(left_out) * shifted))
    low, high = np.quantile(defined, levels)
    return float(min(low, high)), float(max(low, high))


def _acceleration(left_out: "NDArray[np.float64]") -> float:
    """Skewness of the jackknife values, by six."""
    defined = left_out[np.isfinite(left_out)]
    if not len(defined):
        return 0.0
    deviation = defined.mean() - defined
    spread = float((deviation**2).sum())
    return float((deviation**3).sum() / (6 * spread**1.5)) if spread > 1e-24 else 0.0


def _calibration_interval(sample: Sample, counts: "NDArray[np.uint16]") -> Interval:
    """Interval of the expected calibration error, a mean of absolute values that noise can only raise.

    BCa fails there: a perfectly calibrated model's resamples all lie above 0. The lower end is the estimate
    less the noise of the gaps, sum |gap* - gap|, which bounds |estimate - truth| by the triangle inequality;
    the upper end is the resamples' lower end reflected about the estimate (basic bootstrap: Davison and
    Hinkley 1997, section 5.2), and never under the estimate.
    """
    tail = (1 - LEVEL) / 2
    gap = calibration_gaps(sample, np.ones((1, len(sample.labels))))
    with np.errstate(invalid="ignore"):
        gaps = np.concatenate([calibration_gaps(sample, weights) for weights in _weights(sample, counts)])
    gaps = gaps[np.isfinite(gaps).all(axis=1)]
    if len(gaps) < DEFINED_SHARE * len(counts):
        return None
    estimate = float(np.abs(gap).sum())
    noise = np.quantile(np.abs(gaps - gap).sum(axis=1), 1 - tail)
    reflected = 2 * estimate - np.quantile(np.abs(gaps).sum(axis=1), tail)
    return float(max(0.0, estimate - noise)), float(min(1.0, max(estimate, reflected)))
