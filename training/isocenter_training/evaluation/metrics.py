"""The seven metrics of a binary classifier: once on the images as they are, and on many resamples at once.

A resample is a row of weights, one an image (how often the image's patient was drawn). All rows share one
sort of the scores, so that a thousand resamples cost a few passes over a [resamples, images] array.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from isocenter.domain.evaluation import MetricName

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS: tuple[MetricName, ...] = get_args(MetricName)
BINS = 10
IMAGES_IN_A_BIN = 10


@dataclass(frozen=True)
class Sample:
    """Scored images of one split or slice.

    Args:
        scores: float64 [N], calibrated, 0..1.
        labels: int8 [N], 1 is the positive class.
        patients: int64 [N], patient's number, 0 <= number < patients of the whole split.
    """

    scores: "NDArray[np.float64]"
    labels: "NDArray[np.int8]"
    patients: "NDArray[np.int64]"

    def take(self, rows: "NDArray[np.int64]") -> "Sample":
        """The images at ``rows``."""
        return Sample(self.scores[rows], self.labels[rows], self.patients[rows])


def point_metrics(sample: Sample, threshold: float) -> dict[MetricName, float | None]:
    """Each metric on the images as they are; None where it is not defined (no image of a class).

    AUROC, AUPRC (average precision) and Brier score are scikit-learn's.
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    labels, scores = sample.labels, sample.scores
    called = scores >= threshold
    positives, negatives = int(labels.sum()), int((labels == 0).sum())
    both = positives > 0 and negatives > 0
    return {
        "auroc": float(roc_auc_score(labels, scores)) if both else None,
        "auprc": float(average_precision_score(labels, scores)) if both else None,
        "accuracy": float((called == labels).mean()) if len(labels) else None,
        "sensitivity": float(called[labels == 1].mean()) if positives else None,
        "specificity": float((~called[labels == 0]).mean()) if negatives else None,
        "brier": float(brier_score_loss(labels, scores, pos_label=1)) if len(labels) else None,
        "expected_calibration_error": expected_calibration_error(sample) if len(labels) else None,
    }


def calibration_bins(scores: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """The calibration bin of each score, numbered from 0: equal-mass bins, equal scores never parted.

    Ten bins, fewer where that would leave under ten images in a bin. Bins of equal mass estimate the
    calibration error with less bias than bins of equal width: Roelofs et al., "Mitigating Bias in
    Calibration Error Estimation", AISTATS 2022; Nguyen and O'Connor, EMNLP 2015.
    """
    count = int(np.clip(len(scores) // IMAGES_IN_A_BIN, 1, BINS))
    edges = np.quantile(scores, np.arange(1, count) / count)
    raw = np.searchsorted(np.unique(edges), scores, side="right")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


def expected_calibration_error(sample: Sample) -> float:
    """Mean distance, over images, of mean score and share of positives in the image's calibration bin.

    Naeini, Cooper and Hauskrecht, AAAI 2015, on the positive class's score, with :func:`calibration_bins`.
    """
    return float(np.abs(calibration_gaps(sample, np.ones((1, len(sample.labels))))).sum())


def calibration_gaps(sample: Sample, weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Share of positives less mean score in each calibration bin, times the bin's share of the images.

    Args:
        sample: N images; they make the bins, in every resample the same.
        weights: float64 [R, N].

    Returns:
        float64 [R, bins].
    """
    bins = calibration_bins(sample.scores)
    columns = bins[:, None] == np.arange(bins.max() + 1)
    gaps = weights @ (columns * (sample.labels - sample.scores)[:, None])
    return np.asarray(gaps / weights.sum(axis=1, keepdims=True))


def resampled_metrics(
    sample: Sample, weights: "NDArray[np.float64]", threshold: float
) -> "dict[MetricName, NDArray[np.float64]]":
    """Each metric on each resample.

    Args:
        sample: N images.
        weights: float64 [R, N], how often each image is in each resample.
        threshold: positive when score >= threshold.

    Returns:
        metric -> float64 [R]; nan where the resample lacks a class that the metric needs.
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        return {**_rank_metrics(sample, weights), **_sum_metrics(sample, weights, threshold)}


def _rank_metrics(sample: Sample, weights: "NDArray[np.float64]") -> "dict[MetricName, NDArray[np.float64]]":
    """AUROC as the weighted Mann-Whitney statistic, AUPRC as average precision; ties share one step."""
    order = np.argsort(-sample.scores, kind="stable")
    starts = np.flatnonzero(np.diff(sample.scores[order], prepend=np.inf))
    ordered = weights[:, order]
    positive = sample.labels[order] == 1
    hits = np.add.reduceat(ordered * positive, starts, axis=1)
    false = np.add.reduceat(ordered * ~positive, starts, axis=1)
    seen_hits, seen_false = np.cumsum(hits, axis=1), np.cumsum(false, axis=1)
    total_hits, total_false = seen_hits[:, -1], seen_false[:, -1]
    below = total_false[:, None] - seen_false + false / 2
    precision = seen_hits / np.maximum(seen_hits + seen_false, 1e-300)
    lacking = np.where((total_hits > 0) & (total_false > 0), 0.0, np.nan)
    return {
        "auroc": (hits * below).sum(axis=1) / (total_hits * total_false) + lacking,
        "auprc": (hits * precision).sum(axis=1) / total_hits + lacking,
    }


def _sum_metrics(
    sample: Sample, weights: "NDArray[np.float64]", threshold: float
) -> "dict[MetricName, NDArray[np.float64]]":
    """The metrics that are ratios of weighted sums: one matrix product for all."""
    positive = sample.labels == 1
    called = sample.scores >= threshold
    columns = [positive, ~positive, positive & called, ~positive & ~called, (sample.scores - positive) ** 2]
    sums = weights @ np.stack(columns, axis=1).astype(np.float64)
    positives, negatives, hits, rejections, squares = sums.T
    total = positives + negatives
    return {
        "accuracy": (hits + rejections) / total,
        "sensitivity": hits / positives,
        "specificity": rejections / negatives,
        "brier": squares / total,
        "expected_calibration_error": np.abs(calibration_gaps(sample, weights)).sum(axis=1),
    }
