"""The decision threshold, chosen on validation images only."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from isocenter.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RULE = re.compile(r"(sensitivity|specificity)\s*>=\s*(0?\.\d+|[01](?:\.0*)?)")


@dataclass(frozen=True)
class ThresholdRule:
    """How to choose.

    Args:
        kind: ``youden`` maximises sensitivity + specificity (Youden, Cancer 1950); the other two reach
            ``least`` of the one and then maximise the other.
        least: 0..1; not used by ``youden``.
    """

    kind: Literal["youden", "sensitivity", "specificity"]
    least: float = 0.0

    def __str__(self) -> str:
        """The text that :func:`parse_rule` reads."""
        return self.kind if self.kind == "youden" else f"{self.kind}>={self.least:g}"


def parse_rule(text: str) -> ThresholdRule:
    """Read ``youden``, ``sensitivity>=0.95`` or ``specificity>=0.9``.

    Raises:
        InputError: it is none of these.
    """
    if text.strip().lower() == "youden":
        return ThresholdRule("youden")
    match = _RULE.fullmatch(text.strip().lower())
    if match is None or float(match[2]) > 1:
        raise InputError(
            f"No threshold rule {text!r}.", hint="One of: youden, sensitivity>=0.95, specificity>=0.9."
        )
    return ThresholdRule(cast(Literal["sensitivity", "specificity"], match[1]), float(match[2]))


def choose_threshold(scores: "NDArray[np.float64]", labels: "NDArray[np.int8]", rule: ThresholdRule) -> float:
    """The threshold by ``rule``; an image is positive when its score reaches it.

    Candidates lie half-way between neighbouring scores, so that no score sits on the threshold, where
    rounding on another machine would decide. Of equally good ones the highest is taken.

    Args:
        scores: [N] calibrated scores of validation images.
        labels: [N], 1 is the positive class.

    Raises:
        InputError: the validation images lack a class, or no threshold reaches what the rule asks.
    """
    if len(np.unique(labels)) < 2:
        raise InputError(
            "A threshold can't be chosen: the validation images lack one of the classes.",
            hint="Add patients of both classes; about 15 % of them become validation patients.",
        )
    candidates, sensitivity, specificity = _operating_points(scores, labels)
    wanted, other = {
        "youden": (sensitivity + specificity, sensitivity),
        "sensitivity": (sensitivity, specificity),
        "specificity": (specificity, sensitivity),
    }[rule.kind]
    if rule.kind == "youden":
        best = np.flatnonzero(wanted >= wanted.max() - 1e-12)
    else:
        allowed = wanted >= rule.least - 1e-12
        if not allowed.any():
            raise InputError(f"No threshold reaches {rule} on the validation images.")
        best = np.flatnonzero(allowed & (other >= other[allowed].max() - 1e-12))
    return float(candidates[best[-1]])


def _operating_points(
    scores: "NDArray[np.float64]", labels: "NDArray[np.int8]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    """Candidate thresholds, rising, with the sensitivity and specificity of each."""
    distinct = np.unique(scores)
    candidates = np.concatenate([[0.0], (distinct[:-1] + distinct[1:]) / 2, [(distinct[-1] + 1) / 2]])
    positives, negatives = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    missed = np.searchsorted(positives, candidates, side="left")
    rejected = np.searchsorted(negatives, candidates, side="left")
    return candidates, 1 - missed / len(positives), rejected / len(negatives)
