"""Slices, and the cases that a report shows."""

import numpy as np

from isocenter_training.evaluation.cases import choose_cases
from isocenter_training.evaluation.metrics import Sample
from isocenter_training.evaluation.slices import find_slices, is_too_small


def test_each_value_is_a_slice_and_unrecorded_comes_last() -> None:
    columns = {
        "sex": np.array(["M", "F", "", "F"]),
        "age_band": np.array(["65+", "5-17", "0-4", "18-39"]),
        "scanner": np.array(["A", "A", "A", "A"]),
        "view": np.array(["PA", "AP", "AP", ""]),
    }
    found = {(part.attribute, part.value): part.rows.tolist() for part in find_slices(columns)}
    assert list(found) == [
        *(("sex", value) for value in ("F", "M", "")),
        *(("age_band", value) for value in ("0-4", "5-17", "18-39", "65+")),
        ("scanner", "A"),
        *(("view", value) for value in ("AP", "PA", "")),
    ]
    assert found["sex", "F"] == [1, 3]
    assert found["view", ""] == [3]


def test_too_small_counts_patients_of_each_class_not_images() -> None:
    labels = np.repeat([0, 1], [10, 100]).astype(np.int8)
    nine_positive = Sample(np.zeros(110), labels, np.concatenate([np.arange(10), 10 + np.arange(100) % 9]))
    ten_positive = Sample(np.zeros(110), labels, np.concatenate([np.arange(10), 10 + np.arange(100) % 10]))
    assert is_too_small(nine_positive, 10)
    assert not is_too_small(ten_positive, 10)
    assert is_too_small(ten_positive, 11)


def test_cases_are_the_most_telling_and_of_different_patients() -> None:
    scores = np.array([0.99, 0.98, 0.97, 0.01, 0.02, 0.95, 0.03, 0.49, 0.51])
    labels = np.array([1, 1, 1, 0, 0, 0, 1, 0, 1], dtype=np.int8)
    patients = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7])
    best, worst, borderline = choose_cases(Sample(scores, labels, patients), 0.5, 4)
    assert best.rows.tolist() == [0, 2, 3, 4]  # row 1 is of the patient of row 0
    assert worst.rows.tolist() == [6, 5]  # 0.03 lies 94 % of the way to 0, 0.95 lies 90 % to 1
    assert set(borderline.rows.tolist()) == {7, 8, 1}


def test_no_cases_when_there_are_none() -> None:
    sample = Sample(np.array([0.9]), np.array([1], dtype=np.int8), np.array([0]))
    best, worst, borderline = choose_cases(sample, 0.5, 4)
    assert (len(best.rows), len(worst.rows), len(borderline.rows)) == (1, 0, 0)
