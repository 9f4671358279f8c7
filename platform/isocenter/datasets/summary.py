"""What a dataset holds, in numbers: for the terminal, the report and the model card."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from isocenter.datasets.ingest_facts import IngestFacts, read_facts
from isocenter.datasets.quarantine import Quarantined, read_quarantine
from isocenter.datasets.reader import Dataset
from isocenter.domain.dataset import Split

# Columns whose values are counted, with the words that tables use.
ATTRIBUTES: Mapping[str, str] = {
    "scanner": "Scanner",
    "sex": "Sex",
    "age_band": "Age",
    "view": "View",
    "modality": "Modality",
    "body_part": "Body part",
    "photometric": "Photometric interpretation",
    "bits_stored": "Bits stored",
    "transfer_syntax": "Transfer syntax",
}
_AGE_ORDER = ("0-4", "5-17", "18-39", "40-64", "65+", "")
_CONFOUNDING = 0.5
_CHECKED_FOR_CONFOUNDING = ("scanner", "view", "sex", "age_band", "bits_stored", "photometric")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ClassCount(_Part):
    """A class: its name, images, and patients with at least one of them."""

    name: str
    images: int
    patients: int


class SplitCount(_Part):
    """A split: images, patients, and images by class in the order of the classes."""

    split: Split
    images: int
    patients: int
    by_class: tuple[int, int]

    @property
    def positive_share(self) -> float:
        """Images of the positive class among all; 0 for an empty split."""
        return self.by_class[1] / self.images if self.images else 0.0


class ValueCount(_Part):
    """A value of an attribute (empty: not stated), and its images by class."""

    value: str
    images: int
    by_class: tuple[int, int]


class ReasonCount(_Part):
    """A reason for quarantine, its most frequent sentence, and how many files it set aside."""

    reason: str
    sentence: str
    files: int


class DatasetSummary(_Part):
    """A dataset in numbers.

    Args:
        digest: of the DatasetVersion.
        classes: by number.
        images: rows of the manifest.
        patients: different patients.
        studies: different studies.
        created_at: when it was first published.
        image_sizes: sizes of cached tiles.
        class_counts: by class.
        splits: train, validation, test.
        attributes: by column name: values, the most frequent first (ages in order).
        quarantine: reasons, the most frequent first.
        ingest: counts of the ingest that gave it last, if they are known.
        remarks: what a person should look at before training.
    """

    digest: str
    classes: tuple[str, str]
    images: int
    patients: int
    studies: int
    created_at: datetime
    image_sizes: tuple[int, ...]
    class_counts: tuple[ClassCount, ...]
    splits: tuple[SplitCount, ...]
    attributes: Mapping[str, tuple[ValueCount, ...]]
    quarantine: tuple[ReasonCount, ...]
    ingest: IngestFacts | None
    remarks: tuple[str, ...]


def summarise(dataset: Dataset) -> DatasetSummary:
    """Count what ``dataset`` holds.

    Raises:
        IntegrityError: the manifest can't be read.
    """
    labels, patients = dataset.column("label"), dataset.column("patient_key")
    splits = tuple(_split_count(dataset, split, labels, patients) for split in Split)
    attributes = {name: _value_counts(name, dataset.column(name), labels) for name in ATTRIBUTES}
    return DatasetSummary(
        digest=dataset.record.digest,
        classes=dataset.record.classes,
        images=dataset.record.images,
        patients=dataset.record.patients,
        studies=len(np.unique(dataset.column("study_key").astype(str))),
        created_at=dataset.record.created_at,
        image_sizes=tuple(dataset.sizes),
        class_counts=tuple(
            ClassCount(name=name, images=int((labels == n).sum()), patients=_different(patients[labels == n]))
            for n, name in enumerate(dataset.record.classes)
        ),
        splits=splits,
        attributes=attributes,
        quarantine=_reason_counts(read_quarantine(dataset.path)),
        ingest=read_facts(dataset.path),
        remarks=(*_split_remarks(splits, dataset.record.classes), *_confounding_remarks(attributes)),
    )


def _split_count(
    dataset: Dataset, split: Split, labels: NDArray[np.int8], patients: NDArray[np.object_]
) -> SplitCount:
    rows = dataset.rows(split)
    positive = int((labels[rows] == 1).sum())
    return SplitCount(
        split=split,
        images=len(rows),
        patients=_different(patients[rows]),
        by_class=(len(rows) - positive, positive),
    )


def _different(values: NDArray[np.object_]) -> int:
    return len(set(values.tolist()))


def _value_counts(name: str, values: NDArray[np.object_], labels: NDArray[np.int8]) -> tuple[ValueCount, ...]:
    text = values.astype(str)
    counts = []
    for value in np.unique(text).tolist():
        positive, all_ = int(((text == value) & (labels == 1)).sum()), int((text == value).sum())
        counts.append(ValueCount(value=value, images=all_, by_class=(all_ - positive, positive)))
    if name == "age_band":
        return tuple(sorted(counts, key=lambda count: _AGE_ORDER.index(count.value)))
    return tuple(sorted(counts, key=lambda count: (-count.images, count.value)))


def _reason_counts(entries: Sequence[Quarantined]) -> tuple[ReasonCount, ...]:
    by_reason: dict[str, list[str]] = {}
    for entry in entries:
        by_reason.setdefault(entry.reason, []).append(entry.sentence)
    counts = [
        ReasonCount(reason=reason, sentence=max(sorted(set(texts)), key=texts.count), files=len(texts))
        for reason, texts in by_reason.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.files, count.reason)))


def _split_remarks(splits: Sequence[SplitCount], classes: tuple[str, str]) -> list[str]:
    return [
        f"No {classes[number]} image is in the {split.split} split: add patients."
        for split in splits
        for number in (0, 1)
        if split.by_class[number] == 0
    ]


def _confounding_remarks(attributes: Mapping[str, Sequence[ValueCount]]) -> list[str]:
    remarks = []
    for name in _CHECKED_FOR_CONFOUNDING:
        strength = cramers_v(np.array([count.by_class for count in attributes[name]], dtype=np.float64))
        if strength > _CONFOUNDING:
            remarks.append(
                f"{ATTRIBUTES[name]} and class go together (Cramér's V {strength:.2f}): "
                "a model can learn the one instead of the other."
            )
    return remarks


def cramers_v(counts: NDArray[np.float64]) -> float:
    """Association of rows and columns of a table of counts [values, 2], 0 to 1 (Cramér 1946, chapter 21).

    0 where one of them has a single value.
    """
    counts = counts[counts.sum(axis=1) > 0]
    if min(counts.shape) < 2 or (counts.sum(axis=0) == 0).any():
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi_squared / counts.sum()))
