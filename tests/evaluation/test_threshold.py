"""The decision threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import InputError
from isocenter_training.evaluation.threshold import choose_threshold, parse_rule

SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
LABELS = np.array([0, 0, 0, 1, 0, 1, 1, 1], dtype=np.int8)


def operating_point(scores: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[float, float]:
    return (scores >= threshold)[labels == 1].mean(), (scores < threshold)[labels == 0].mean()


def test_youden_by_hand() -> None:
    # At 0.35: all 4 found, 3 of 4 cleared: 1.75. At 0.65: 3 of 4 and 4 of 4: 1.75. The higher one is taken.
    assert choose_threshold(SCORES, LABELS, parse_rule("youden")) == pytest.approx(0.65)


def test_least_sensitivity_and_least_specificity_by_hand() -> None:
    assert choose_threshold(SCORES, LABELS, parse_rule("sensitivity>=0.95")) == pytest.approx(0.35)
    assert choose_threshold(SCORES, LABELS, parse_rule("specificity >= 0.9")) == pytest.approx(0.65)
    assert choose_threshold(SCORES, LABELS, parse_rule("sensitivity>=0.75")) == pytest.approx(0.65)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=2, max_size=40), st.data())
def test_no_other_threshold_does_better(pairs: list[tuple[float, bool]], data: st.DataObject) -> None:
    scores = np.array([score for score, _ in pairs], dtype=np.float64)
    labels = np.array([label for _, label in pairs], dtype=np.int8)
    if len(np.unique(labels)) < 2:
        return
    least = data.draw(st.sampled_from([0.5, 0.8, 1.0]))
    every = [operating_point(scores, labels, t) for t in (0.0, *scores, *(scores + 1e-9), 1.1)]
    youden = sum(operating_point(scores, labels, choose_threshold(scores, labels, parse_rule("youden"))))
    if scores.max() < 1:  # a score of 1 can't be left unmarked by any threshold in 0..1
        assert youden == pytest.approx(max(map(sum, every)))
    chosen = choose_threshold(scores, labels, parse_rule(f"sensitivity>={least}"))
    sensitivity, specificity = operating_point(scores, labels, chosen)
    assert sensitivity >= least
    assert specificity == pytest.approx(max(other for one, other in every if one >= least))


def test_no_score_sits_on_the_threshold() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random(200), rng.integers(0, 2, 200).astype(np.int8)
    for rule in ("youden", "sensitivity>=0.9", "specificity>=0.9"):
        threshold = choose_threshold(scores, labels, parse_rule(rule))
        assert np.abs(scores - threshold).min() > 0


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_is_refused(labels: list[int]) -> None:
    with pytest.raises(InputError, match="lack one of the classes"):
        choose_threshold(np.array([0.2, 0.8]), np.array(labels, dtype=np.int8), parse_rule("youden"))


def test_unreachable_rule_is_refused() -> None:
    scores, labels = np.array([1.0, 1.0]), np.array([0, 1], dtype=np.int8)
    with pytest.raises(InputError, match=r"reaches specificity>=0\.9"):
        choose_threshold(scores, labels, parse_rule("specificity>=0.9"))


@pytest.mark.parametrize(
    "text", ["", "max", "sensitivity>0.9", "sensitivity>=1.5", "recall>=0.9", "sensitivity>=-1"]
)
def test_unknown_rules_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="No threshold rule"):
        parse_rule(text)


@pytest.mark.parametrize("text", ["youden", "sensitivity>=0.95", "specificity>=1"])
def test_rules_print_as_they_are_read(text: str) -> None:
    assert str(parse_rule(text)) == text
