"""DatasetVersions: immutable snapshots of labelled studies."""

import enum
from dataclasses import dataclass


class Split(enum.StrEnum):
    """Which part of the work an image serves; decided by patient, once."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class DatasetVersion:
    """A snapshot of labelled images, named by the digest of its sorted manifest.

    Args:
        digest: ``sha256:...`` over content only.
        classes: class names; the position is the label's number (0 is the negative class).
        images: rows in the manifest.
        patients: different patients.
    """

    digest: str
    classes: tuple[str, ...]
    images: int
    patients: int
