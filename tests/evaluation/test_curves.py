"""Curves against scikit-learn and the metrics."""

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from isocenter_training.evaluation.bootstrap import draw_patients
from isocenter_training.evaluation.curves import GRID, precision_recall_curve, roc_curve
from isocenter_training.evaluation.metrics import Sample


@pytest.fixture
def sample() -> Sample:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 150).astype(np.int8)
    return Sample(rng.normal(0.4 + 0.2 * labels, 0.2).round(2), labels, np.arange(150) // 2)


def test_areas_are_the_metrics(sample: Sample) -> None:
    counts = draw_patients(75, 100, seed=0)
    roc = roc_curve(sample, counts)
    assert auc(roc.x, roc.y) == pytest.approx(roc_auc_score(sample.labels, sample.scores))
    curve = precision_recall_curve(sample, counts)
    steps = np.sum(np.diff(curve.x) * curve.y[1:])
    assert steps == pytest.approx(average_precision_score(sample.labels, sample.scores))


def test_bands_enclose_the_curve(sample: Sample) -> None:
    counts = draw_patients(75, 200, seed=0)
    roc = roc_curve(sample, counts)
    inside = np.interp(GRID, roc.x, roc.y)
    assert ((roc.low <= inside + 0.05) & (inside <= roc.high + 0.05)).all()
    assert (roc.high[10:90] > roc.low[10:90]).all()


def test_no_band_without_resamples_of_both_classes() -> None:
    one = Sample(np.array([0.1, 0.9]), np.array([0, 1], dtype=np.int8), np.array([0, 1]))
    counts = np.array([[2, 0], [0, 2]], dtype=np.uint16)
    assert len(roc_curve(one, counts).low) == 0
