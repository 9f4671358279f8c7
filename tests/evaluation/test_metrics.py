"""The metrics against hand-worked cases, against scikit-learn, and the many-resample form against both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from isocenter_training.evaluation.metrics import (
    METRICS,
    Sample,
    calibration_bins,
    expected_calibration_error,
    point_metrics,
    resampled_metrics,
)


def make_sample(scores: object, labels: object, patients: object = None) -> Sample:
    scores = np.asarray(scores, dtype=np.float64)
    numbers = np.arange(len(scores)) if patients is None else np.asarray(patients)
    return Sample(scores, np.asarray(labels, dtype=np.int8), numbers)


def random_sample(images: int, seed: int, decimals: int = 2) -> Sample:
    """Rounded scores, so that ties occur."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, images)
    scores = np.clip(rng.normal(0.35 + 0.3 * labels, 0.2), 0, 1).round(decimals)
    return make_sample(scores, labels, rng.integers(0, max(1, images // 2), images))


def test_hand_worked_case() -> None:
    # Sorted by score: 0.9+ 0.8- 0.7+ 0.6- 0.3- ; pairs in order: 0.9 beats 3, 0.7 beats 2: 5 of 6.
    found = point_metrics(make_sample([0.9, 0.8, 0.7, 0.6, 0.3], [1, 0, 1, 0, 0]), threshold=0.65)
    assert found["auroc"] == pytest.approx(5 / 6)
    assert found["auprc"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found["sensitivity"] == 1.0
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.36 + 0.09) / 5)
    # Five images make one bin: mean score 0.66, share of positives 0.4.
    assert found["expected_calibration_error"] == pytest.approx(0.26)


def test_score_at_the_threshold_is_positive() -> None:
    found = point_metrics(make_sample([0.5, 0.5], [1, 0]), threshold=0.5)
    assert (found["sensitivity"], found["specificity"]) == (1.0, 0.0)


def test_one_class_leaves_metrics_undefined() -> None:
    found = point_metrics(make_sample([0.2, 0.7], [1, 1]), threshold=0.5)
    assert {name for name, value in found.items() if value is None} == {"auroc", "auprc", "specificity"}
    assert found["sensitivity"] == 0.5


def test_calibration_error_by_hand_over_two_bins() -> None:
    scores = [0.1] * 10 + [0.8] * 10
    labels = [1] * 3 + [0] * 7 + [1] * 6 + [0] * 4
    # |0.3 - 0.1| and |0.6 - 0.8|, half of the images each.
    assert expected_calibration_error(make_sample(scores, labels)) == pytest.approx(0.2)


def test_calibration_bins_hold_equal_mass_and_do_not_part_ties() -> None:
    rng = np.random.default_rng(0)
    assert set(np.bincount(calibration_bins(rng.random(200)))) == {20}
    tied = np.repeat([0.1, 0.5, 0.9], [90, 5, 5])
    bins = calibration_bins(tied)
    assert len(np.unique(bins[:90])) == 1
    assert list(np.unique(bins)) == list(range(bins.max() + 1))


def test_few_images_make_few_bins() -> None:
    assert calibration_bins(np.linspace(0, 1, 19)).max() == 0
    assert calibration_bins(np.linspace(0, 1, 45)).max() == 3


def test_calibration_error_of_calibrated_scores_shrinks_with_images() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(100_000)
    labels = rng.random(len(scores)) < scores
    assert expected_calibration_error(make_sample(scores, labels)) < 0.005
    assert expected_calibration_error(make_sample(scores**3, labels)) > 0.15


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000), st.integers(1, 3))
def test_resampled_form_agrees_with_repeating_the_images(images: int, seed: int, decimals: int) -> None:
    """A weight of k is the image k times: scikit-learn on the repeated images is the reference."""
    sample = random_sample(images, seed, decimals)
    weights = np.random.default_rng(seed).integers(0, 3, (3, images))
    found = resampled_metrics(sample, weights.astype(np.float64), 0.5)
    for row, counts in enumerate(weights):
        scores, labels = np.repeat(sample.scores, counts), np.repeat(sample.labels, counts)
        if len(np.unique(labels)) < 2:
            assert np.isnan(found["auroc"][row])
            assert np.isnan(found["auprc"][row])
            continue
        assert found["auroc"][row] == pytest.approx(roc_auc_score(labels, scores))
        assert found["auprc"][row] == pytest.approx(average_precision_score(labels, scores))
        assert found["brier"][row] == pytest.approx(brier_score_loss(labels, scores))
        assert found["accuracy"][row] == pytest.approx(((scores >= 0.5) == labels).mean())
        assert found["sensitivity"][row] == pytest.approx((scores >= 0.5)[labels == 1].mean())
        assert found["specificity"][row] == pytest.approx((scores < 0.5)[labels == 0].mean())


def test_resampled_form_with_every_image_once_is_the_point_form() -> None:
    sample = random_sample(300, 5)
    once = resampled_metrics(sample, np.ones((1, 300)), 0.4)
    point = point_metrics(sample, 0.4)
    assert {name: once[name][0] for name in METRICS} == pytest.approx(point)
