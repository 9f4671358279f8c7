"""Intervals: against a plain loop, at the nominal rate, over patients and not over images."""

import time

import numpy as np
import pytest

from isocenter_training.evaluation.bootstrap import draw_patients, intervals
from isocenter_training.evaluation.flawless import flawless_intervals
from isocenter_training.evaluation.metrics import METRICS, Sample, point_metrics


def simulate(patients: int, seed: int, images: int = 3, separation: float = 1.6) -> Sample:
    """Patients of 1 to ``images`` images whose scores share a patient's own effect; scores are calibrated."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, patients)
    numbers = np.repeat(np.arange(patients), rng.integers(1, images + 1, patients))
    own = rng.normal(0, 0.7, patients)[numbers]
    latent = (2 * labels[numbers] - 1) * separation / 2 + own + rng.normal(0, 0.7, len(numbers))
    scores = 1 / (1 + np.exp(-separation * latent / 0.98))
    return Sample(scores, labels[numbers].astype(np.int8), numbers)


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_draws_are_with_replacement_and_repeatable() -> None:
    counts = draw_patients(50, 200, seed=3)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.max() > 1
    assert np.array_equal(counts, draw_patients(50, 200, seed=3))
    assert not np.array_equal(counts, draw_patients(50, 200, seed=4))


def test_agrees_with_a_plain_loop() -> None:
    """BCa written out resample by resample, patient by patient."""
    from scipy.stats import norm

    sample, threshold = simulate(25, 0), 0.5
    rows = [np.flatnonzero(sample.patients == patient) for patient in range(25)]
    counts = draw_patients(25, 120, seed=1)
    found = intervals(sample, threshold, counts)
    point = point_metrics(sample, threshold)
    for name in ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier"):
        drawn = [np.concatenate([rows[p] for p in range(25) for _ in range(row[p])]) for row in counts]
        values = np.array([point_metrics(sample.take(rows), threshold)[name] for rows in drawn])
        left = [np.flatnonzero(sample.patients != patient) for patient in range(25)]
        jackknife = np.array([point_metrics(sample.take(rows), threshold)[name] for rows in left])
        ties = np.abs(values - point[name]) < 1e-9
        bias = norm.ppf(((values < point[name]) & ~ties).mean() + ties.mean() / 2)
        deviation = jackknife.mean() - jackknife
        acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
        z = bias + norm.ppf([0.025, 0.975])
        expected = np.quantile(values, norm.cdf(bias + z / (1 - acceleration * z)))
        assert found[name] == pytest.approx(tuple(expected), abs=1e-9), name


def test_covers_at_about_the_nominal_rate() -> None:
    truth = point_metrics(simulate(200_000, 99), 0.5)
    covered = dict.fromkeys(METRICS, 0)
    trials = 200
    for trial in range(trials):
        found = intervals(simulate(80, trial), 0.5, draw_patients(80, 300, seed=trial))
        for name, interval in found.items():
            covered[name] += interval is not None and interval[0] <= truth[name] <= interval[1]
    rates = {name: count / trials for name, count in covered.items()}
    # 0.95 give or take three standard errors (0.015) of 200 trials, less what small samples lose.
    assert all(0.88 <= rate <= 0.995 for rate in rates.values()), rates


def test_images_of_a_patient_are_drawn_together() -> None:
    """Every image ten times tells nothing new: the interval must not shrink."""
    once = simulate(60, 2)
    ten = Sample(*(np.repeat(values, 10) for values in (once.scores, once.labels, once.patients)))
    counts = draw_patients(60, 500, seed=0)
    narrow, wide = intervals(ten, 0.5, counts), intervals(once, 0.5, counts)
    for name in ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier"):
        assert narrow[name] == pytest.approx(wide[name], abs=1e-9)
    # Drawing images instead would do so: pretend that each image is a patient.
    images = len(ten.scores)
    pretended = Sample(ten.scores, ten.labels, np.arange(images))
    by_image = intervals(pretended, 0.5, draw_patients(images, 500, seed=0))
    assert width(by_image["auroc"]) < 0.5 * width(narrow["auroc"])


def test_more_patients_make_narrower_intervals() -> None:
    few, many = (
        width(intervals(simulate(count, 4), 0.5, draw_patients(count, 300, seed=0))["auroc"])
        for count in (50, 800)
    )
    assert many < few / 2.5


def test_no_interval_where_resamples_lack_a_class() -> None:
    sample = Sample(np.linspace(0, 1, 20), np.array([1] + [0] * 19, dtype=np.int8), np.arange(20))
    found = intervals(sample, 0.5, draw_patients(20, 300, seed=0))
    assert found["auroc"] is None
    assert found["brier"] is not None


def test_a_slice_uses_the_patients_of_the_whole_split() -> None:
    whole = simulate(100, 7)
    counts = draw_patients(100, 300, seed=0)
    part = whole.take(np.flatnonzero(whole.patients % 2 == 0))
    assert width(intervals(part, 0.5, counts)["auroc"]) > width(intervals(whole, 0.5, counts)["auroc"])


def test_flawless_figures_get_the_exact_bound_on_patients() -> None:
    labels = np.repeat([0, 1], [30, 60]).astype(np.int8)
    patients = np.concatenate([np.arange(30), 30 + np.arange(60) // 2])  # 30 patients of each class
    found = intervals(
        Sample(labels.astype(np.float64), labels, patients), 0.5, draw_patients(60, 200, seed=0)
    )
    assert found["sensitivity"] == found["specificity"]
    assert found["sensitivity"] == pytest.approx((0.025 ** (1 / 30), 1.0))
    assert found["accuracy"] == pytest.approx((0.025 ** (1 / 60), 1.0))
    assert found["auroc"] == pytest.approx((0.0125 ** (2 / 30), 1.0))


def test_no_interval_of_no_width_where_there_is_no_exact_bound() -> None:
    labels = np.repeat([0, 1], 20).astype(np.int8)
    counts = draw_patients(40, 200, seed=0)
    apart = np.linspace(0, 0.3, 20).tolist() + np.linspace(0.7, 1, 20).tolist()
    found = intervals(Sample(np.array(apart), labels, np.arange(40)), 0.5, counts)
    assert found["auprc"] is None
    assert found["auroc"] == pytest.approx((0.0125 ** (2 / 20), 1.0))
    assert width(found["brier"]) > 0
    certain = intervals(Sample(labels.astype(np.float64), labels, np.arange(40)), 0.5, counts)
    assert (certain["auprc"], certain["brier"], certain["expected_calibration_error"]) == (None, None, None)
    constant = intervals(Sample(np.full(40, 0.5), labels, np.arange(40)), 0.5, counts)
    assert constant["auroc"] is None


def test_flawless_bounds_hold_as_often_as_they_say() -> None:
    """Of samples without an error from a model of true sensitivity q, all bounds must lie below q unless q is
    so low that such a sample is rarer than the tail."""
    rng = np.random.default_rng(0)
    for truth in (0.8, 0.9, 0.97):
        missed = 0
        for _ in range(2000):
            right = rng.random(20) < truth
            labels = np.repeat([0, 1], 20).astype(np.int8)
            scores = np.concatenate([np.zeros(20), np.where(right, 0.9, 0.1)])
            sample = Sample(scores, labels, np.arange(40))
            estimates = dict.fromkeys(METRICS, 0.5) | {"sensitivity": float(right.mean())}
            bound = flawless_intervals(sample, estimates).get("sensitivity")
            missed += bound is not None and bound[0] > truth
        assert missed / 2000 <= 0.025 + 0.01


def test_a_thousand_resamples_of_a_hospital_sized_test_set_take_seconds() -> None:
    sample = simulate(1500, 1)
    begin = time.monotonic()
    counts = draw_patients(1500, 1000, seed=0)
    for _ in range(3):
        intervals(sample, 0.5, counts)
    assert time.monotonic() - begin < 30  # about 1 s on a quiet core
