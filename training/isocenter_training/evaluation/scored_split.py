"""The images of one split with the network's logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.domain.dataset import Split
from isocenter.domain.evaluation import Decision, SplitCounts
from isocenter_training.evaluation.metrics import Sample
from isocenter_training.evaluation.scores import compute_logits
from isocenter_training.evaluation.slices import ATTRIBUTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isocenter.datasets import Dataset


@dataclass(frozen=True)
class ScoredSplit:
    """One split of a dataset, scored.

    Args:
        split: which.
        rows: int64 [N], rows of the manifest.
        labels: int8 [N].
        patients: int64 [N], patients numbered from 0 within the split.
        logits: float64 [N].
        attributes: sex, age_band, scanner and view of each image, empty where not recorded.
    """

    split: Split
    rows: "NDArray[np.int64]"
    labels: "NDArray[np.int8]"
    patients: "NDArray[np.int64]"
    logits: "NDArray[np.float64]"
    attributes: "Mapping[str, NDArray[np.str_]]"

    def sample(self, decision: Decision) -> Sample:
        """Its calibrated scores."""
        return Sample(decision.scores(self.logits), self.labels, self.patients)

    @property
    def counts(self) -> SplitCounts:
        """How much it holds."""
        return SplitCounts(
            images=len(self.rows), patients=len(np.unique(self.patients)), positives=int(self.labels.sum())
        )


def score_split(
    dataset: "Dataset",
    split: Split,
    network: Any,
    image_size: int,
    *,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> ScoredSplit:
    """Run ``network`` over the images of ``split``; see :func:`.scores.compute_logits`.

    Raises:
        IntegrityError: the network does not fit the images.
    """
    rows = np.asarray(dataset.rows(split), dtype=np.int64)
    tiles = dataset.pixels(image_size)
    return ScoredSplit(
        split=split,
        rows=rows,
        labels=np.asarray(dataset.column("label"))[rows].astype(np.int8),
        patients=number_patients(np.asarray(dataset.column("patient_key"))[rows]),
        logits=compute_logits(network, tiles, rows, batch_size=batch_size, progress=progress),
        attributes={name: _text(dataset.column(name))[rows] for name in ATTRIBUTES},
    )


def number_patients(keys: "NDArray[Any]") -> "NDArray[np.int64]":
    """Number patients from 0 in the order of their first image.

    Not in the order of their keys: those are made with the site's secret, and the same images must give the
    same report in another store.
    """
    _, first, inverse = np.unique(keys.astype(np.str_), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _text(column: "NDArray[Any]") -> "NDArray[np.str_]":
    return np.array(["" if value is None else str(value) for value in column], dtype=np.str_)
