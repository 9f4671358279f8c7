"""File sets named by digest and media type."""

import enum
from dataclasses import dataclass


class MediaType(enum.StrEnum):
    """What a file set holds."""

    DATASET = "application/vnd.isocenter.dataset.v1"
    BUNDLE = "application/vnd.isocenter.bundle.v1"
    EVALUATION = "application/vnd.isocenter.evaluation.v1"
    VALIDATION = "application/vnd.isocenter.validation.v1"
    FILES = "application/vnd.isocenter.files.v1"


@dataclass(frozen=True)
class Artifact:
    """A published file set; never changed.

    Args:
        name: what it is to the run that made it, e.g. ``model``.
        digest: ``sha256:...`` of the file set (see :func:`isocenter.domain.digest.digest_tree`).
        media_type: what the files are.
        uri: where the files are (a directory).
        size: bytes in all.
    """

    name: str
    digest: str
    media_type: MediaType
    uri: str
    size: int
