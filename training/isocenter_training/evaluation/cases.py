"""Which X-rays the report shows: confidently right, confidently wrong, and nearest the threshold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocenter_training.evaluation.metrics import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class CaseGroup:
    """One kind of case.

    Args:
        title: heading in the report.
        rows: int64 [<= count], rows of the sample, the most telling first.
    """

    title: str
    rows: "NDArray[np.int64]"


def choose_cases(sample: Sample, threshold: float, count: int) -> tuple[CaseGroup, ...]:
    """At most ``count`` images of each kind, none twice and each of another patient within its kind.

    Confidence is the distance of score and threshold, as a share of what is possible on that side. Of the
    right ones half are positive where there are enough, so that both classes are seen.
    """
    side = np.where(sample.scores >= threshold, 1 - threshold, threshold)
    confidence = np.abs(sample.scores - threshold) / np.maximum(side, 1e-12)
    right = (sample.scores >= threshold) == (sample.labels == 1)
    falling = np.argsort(-confidence, kind="stable")
    best = np.concatenate(
        [
            _spread(sample, falling[right[falling] & (sample.labels[falling] == 1)], (count + 1) // 2),
            _spread(sample, falling[right[falling] & (sample.labels[falling] == 0)], count // 2),
        ]
    )
    worst = _spread(sample, falling[~right[falling]], count)
    taken = np.concatenate([best, worst])
    borderline = _spread(sample, falling[::-1][~np.isin(falling[::-1], taken)], count)
    return (
        CaseGroup("Confidently right", best),
        CaseGroup("Most confidently wrong", worst),
        CaseGroup("Nearest the threshold", borderline),
    )


def _spread(sample: Sample, rows: "Iterable[int]", count: int) -> "NDArray[np.int64]":
    """The first ``count`` of ``rows`` with no patient twice."""
    chosen: list[int] = []
    patients: set[int] = set()
    for row in rows:
        if len(chosen) < count and (patient := int(sample.patients[row])) not in patients:
            chosen.append(int(row))
            patients.add(patient)
    return np.array(chosen, dtype=np.int64)
