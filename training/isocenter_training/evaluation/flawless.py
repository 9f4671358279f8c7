"""Intervals where not one error was seen: resampling can't show what never happened.

The bootstrap then gives an interval of no width, however few the patients. The exact bound takes its place:
Clopper and Pearson, Biometrika 1934, for n successes of n; with n = 50 its lower end is 0.93. A metric that
has no such bound (AUPRC, Brier score) then has no interval.
"""

from collections.abc import Mapping

import numpy as np

from isocenter.domain.evaluation import MetricName
from isocenter_training.evaluation.metrics import Sample

LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2


def flawless_intervals(
    sample: Sample, estimates: Mapping[MetricName, float]
) -> dict[MetricName, tuple[float, float]]:
    """Intervals of sensitivity, specificity and accuracy that are exactly 0 or 1, and of an AUROC of 1.

    Patients are counted, not images: images of one patient may be right or wrong together.

    Args:
        sample: the images.
        estimates: metric -> value; nan where not defined.
    """
    negative, positive = (len(np.unique(sample.patients[sample.labels == label])) for label in (0, 1))
    patients = {
        "sensitivity": positive,
        "specificity": negative,
        "accuracy": len(np.unique(sample.patients)),
    }
    found: dict[MetricName, tuple[float, float]] = {}
    for name, estimate in estimates.items():
        if name in patients and estimate in (0.0, 1.0):
            bound = _TAIL ** (1 / patients[name])
            found[name] = (bound, 1.0) if estimate == 1 else (0.0, 1 - bound)
    if estimates["auroc"] == 1:
        found["auroc"] = (_least_auroc(positive, negative), 1.0)
    return found


def _least_auroc(positive: int, negative: int) -> float:
    """Lower bound of the AUROC where all positives score above all negatives.

    The pairs about any cut-off are in order, so AUROC >= sensitivity x specificity. At the highest negative
    score both have the distribution-free bounds of a sample's extremes (Wilks 1941), each at half the tail.
    """
    tail = _TAIL / 2
    return float(tail ** (1 / positive) * tail ** (1 / negative))
