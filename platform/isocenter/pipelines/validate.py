"""Checks of a dataset before anything is trained on it: splits, leakage, pixels, shortcuts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from isocenter.datasets import Dataset
from isocenter.domain.dataset import Split
from isocenter.errors import IntegrityError, NotFoundError
from isocenter.pipelines.validation import Finding, Severity, SplitPatients, ValidationReport

# Patients of each class that a split needs at the least, and below how many its figures are shaky.
SMALLEST = {Split.TRAIN: 5, Split.VALIDATION: 2, Split.TEST: 2}
_SHAKY = {Split.TRAIN: 20, Split.VALIDATION: 10, Split.TEST: 10}
_RARE_CLASS = 0.05
_MOST_CONSTANT = 0.05
_MOST_UNKNOWN = 0.5
_SHORTCUT_AUROC = 0.75
_ATTRIBUTES = {
    "scanner": "scanner",
    "view": "view",
    "photometric": "photometric interpretation",
    "bits_stored": "number of bits stored",
    "sex": "sex",
    "age_band": "age band",
}
_CHUNK = 512


def validate(dataset: Dataset, image_size: int) -> ValidationReport:
    """Check ``dataset`` for training at ``image_size``.

    Args:
        dataset: an opened DatasetVersion.
        image_size: rows and columns of the tiles that the plan wants.

    Raises:
        IntegrityError: the dataset contradicts itself; it was changed after it was written.
    """
    labels = dataset.column("label").astype(np.int64)
    splits = tuple(_split(dataset, split, labels) for split in Split)
    mean, constant = _pixel_statistics(_tiles(dataset, image_size))
    findings = (
        *_size_findings(splits, dataset.version.classes),
        *_leakage_findings(dataset),
        *_pixel_findings(constant, len(labels)),
        *_balance_findings(labels, dataset.version.classes),
        *_shortcut_findings(dataset, labels),
        *_unknown_findings(dataset),
    )
    return ValidationReport(
        dataset_digest=dataset.version.digest,
        classes=(dataset.version.classes[0], dataset.version.classes[1]),
        image_size=image_size,
        splits=splits,
        mean_intensity=round(mean, 6),
        constant_images=constant,
        findings=findings,
    )


def _tiles(dataset: Dataset, image_size: int) -> NDArray[np.uint16]:
    try:
        return dataset.pixels(image_size)
    except NotFoundError as error:
        raise IntegrityError(error.message, hint=error.hint) from error


def _split(dataset: Dataset, split: Split, labels: NDArray[np.int64]) -> SplitPatients:
    rows = dataset.rows(split)
    patients = dataset.column("patient_key")[rows]
    by_class = [len(set(patients[labels[rows] == number].tolist())) for number in (0, 1)]
    return SplitPatients(
        split=split,
        images=len(rows),
        patients=len(set(patients.tolist())),
        by_class=(by_class[0], by_class[1]),
    )


def _size_findings(splits: tuple[SplitPatients, ...], classes: tuple[str, ...]) -> Iterator[Finding]:
    short = [part for part in splits if min(part.by_class) < SMALLEST[part.split]]
    if short:
        yield _error("split-size", _too_few_patients(splits, classes))
        return
    for part in splits:
        if min(part.by_class) < _SHAKY[part.split]:
            rarer = int(np.argmin(part.by_class))
            yield _warning(
                "split-size",
                f"Only {part.by_class[rarer]} {classes[rarer]} patients are in the {part.split} split:"
                " intervals will be wide.",
            )


def _too_few_patients(splits: tuple[SplitPatients, ...], classes: tuple[str, ...]) -> str:
    total = sum(part.patients for part in splits)
    needs = "; ".join(
        f"{part.split} needs {SMALLEST[part.split]} patients of each class and has"
        f" {part.by_class[0]} {classes[0]}, {part.by_class[1]} {classes[1]}"
        for part in splits
    )
    return (
        f"It holds {total} patients, too few to fill three splits: {needs}."
        " Patients fall into train, validation and test in the proportion 70:15:15;"
        " about 40 of each class usually do."
    )


def _leakage_findings(dataset: Dataset) -> Iterator[Finding]:
    splits_of: dict[str, set[str]] = {}
    pairs = zip(dataset.column("patient_key").tolist(), dataset.column("split").tolist(), strict=True)
    for patient, split in pairs:
        splits_of.setdefault(patient, set()).add(split)
    if leaking := sum(len(found) > 1 for found in splits_of.values()):
        yield _error("leakage", f"{leaking} patients are in more than one split.")
    digests = dataset.column("pixel_digest").tolist()
    if repeated := len(digests) - len(set(digests)):
        yield _error("leakage", f"{repeated} images are there more than once.")


def _pixel_statistics(tiles: NDArray[np.uint16]) -> tuple[float, int]:
    """Mean intensity in 0..1 and how many tiles hold a single value."""
    total, constant = 0.0, 0
    for start in range(0, len(tiles), _CHUNK):
        chunk = tiles[start : start + _CHUNK].reshape(len(tiles[start : start + _CHUNK]), -1)
        total += float(chunk.sum(dtype=np.float64))
        constant += int((chunk.min(axis=1) == chunk.max(axis=1)).sum())
    return (total / tiles.size / 65535 if tiles.size else 0.0), constant


def _pixel_findings(constant: int, images: int) -> Iterator[Finding]:
    if constant > _MOST_CONSTANT * images:
        yield _error("pixels", f"{constant} of {images} images hold a single grey value.")
    elif constant:
        yield _warning("pixels", f"{constant} of {images} images hold a single grey value.")


def _balance_findings(labels: NDArray[np.int64], classes: tuple[str, ...]) -> Iterator[Finding]:
    share = float((labels == 1).mean()) if len(labels) else 0.0
    rarer = int(share < 0.5)
    if min(share, 1 - share) < _RARE_CLASS:
        yield _warning("balance", f"Only {min(share, 1 - share):.1%} of the images are {classes[rarer]}.")


def _shortcut_findings(dataset: Dataset, labels: NDArray[np.int64]) -> Iterator[Finding]:
    for column, words in _ATTRIBUTES.items():
        values = dataset.column(column).astype(str)
        auroc = auroc_of_attribute(values, labels)
        if auroc >= _SHORTCUT_AUROC:
            yield _warning(
                "shortcut",
                f"The {words} alone tells the classes apart with AUROC {auroc:.2f}:"
                " a model may learn it instead of the finding.",
            )


def auroc_of_attribute(values: NDArray[np.str_], labels: NDArray[np.int64]) -> float:
    """AUROC, 0.5 to 1, of telling the classes apart by an attribute alone.

    Each image is scored by the share of positives among the *other* images with the same value, so that
    many rare values don't look informative.

    Args:
        values: [N], one an image.
        labels: [N], 0 or 1.
    """
    _, group = np.unique(values, return_inverse=True)
    size, positive = np.bincount(group), np.bincount(group, weights=labels)
    others = size[group] - 1
    overall = labels.mean() if len(labels) else 0.0
    score = np.where(others > 0, (positive[group] - labels) / np.maximum(others, 1), overall)
    negatives, positives = np.sort(score[labels == 0]), score[labels == 1]
    if not len(negatives) or not len(positives):
        return 0.5
    below = np.searchsorted(negatives, positives, side="left")
    ties = np.searchsorted(negatives, positives, side="right") - below
    return max(0.5, float((below + ties / 2).mean() / len(negatives)))


def _unknown_findings(dataset: Dataset) -> Iterator[Finding]:
    for column in ("sex", "age_band"):
        share = float((dataset.column(column).astype(str) == "").mean())
        if share > _MOST_UNKNOWN:
            name = _ATTRIBUTES[column]
            yield _warning("attributes", f"The {name} is not stated for {share:.0%} of the images.")


def _error(check: str, sentence: str) -> Finding:
    return Finding(severity=Severity.ERROR, check=check, sentence=sentence)


def _warning(check: str, sentence: str) -> Finding:
    return Finding(severity=Severity.WARNING, check=check, sentence=sentence)
