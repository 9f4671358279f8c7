"""Temperature scaling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.evaluation import Decision
from isocenter_training.evaluation.calibration import fit_temperature


def calibrated(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels drawn as the logits say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, images)
    return logits, (rng.random(images) < 1 / (1 + np.exp(-logits))).astype(np.int8)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 8.0])
def test_recovers_a_known_scaling(scale: float) -> None:
    logits, labels = calibrated(50_000, 0)
    assert fit_temperature(logits * scale, labels) == pytest.approx(scale, rel=0.03)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_is_the_minimum_of_the_likelihood(seed: int) -> None:
    logits, labels = calibrated(60, seed)
    signed = np.where(labels == 1, 3 * logits, -3 * logits)
    fitted = fit_temperature(3 * logits, labels)

    def loss(temperature: float) -> float:
        return float(np.logaddexp(0, -signed / temperature).mean())

    if fitted != 1.0:
        assert all(loss(fitted) <= loss(fitted * factor) + 1e-12 for factor in (0.9, 0.99, 1.01, 1.1))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ([], []),
        ([1.0, 2.0], [1, 1]),
        ([-3.0, -1.0, 2.0, 5.0], [0, 0, 1, 1]),  # separated: the likelihood has no minimum
        ([3.0, 1.0, -2.0, -5.0], [0, 0, 1, 1]),  # always wrong
        ([0.0, 0.0], [0, 1]),  # carries nothing
    ],
)
def test_leaves_scores_alone_where_there_is_no_minimum(logits: list[float], labels: list[int]) -> None:
    assert fit_temperature(np.array(logits), np.array(labels, dtype=np.int8)) == 1.0


def test_scores_keep_their_order_and_survive_huge_logits() -> None:
    decision = Decision(temperature=2.0, threshold=0.5, rule="")
    scores = decision.scores(np.array([-1e6, -4.0, 0.0, 4.0, 1e6]))
    assert scores == pytest.approx([0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-2)), 1])
    assert decision.is_positive(scores).tolist() == [False, False, True, True, True]
