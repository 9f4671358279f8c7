"""The report of the validate step (``validation.json``): what was checked and what was found."""

import enum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from isocenter.domain.dataset import Split
from isocenter.errors import InputError


class Severity(enum.StrEnum):
    """Whether a finding stops the pipeline."""

    ERROR = "error"
    WARNING = "warning"


class Finding(BaseModel):
    """One thing that a person should know of the dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    check: str
    sentence: str


class SplitPatients(BaseModel):
    """Images and patients of one split; ``by_class``: patients with an image of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split
    images: int
    patients: int
    by_class: tuple[int, int]


class ValidationReport(BaseModel):
    """What validate found. Depends on the dataset's content only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    dataset_digest: str
    classes: tuple[str, str]
    image_size: int
    splits: tuple[SplitPatients, ...]
    mean_intensity: float
    constant_images: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """Sentences of the findings that stop the pipeline."""
        return tuple(f.sentence for f in self.findings if f.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences of the others."""
        return tuple(f.sentence for f in self.findings if f.severity is Severity.WARNING)


def refuse_unless_valid(report: ValidationReport) -> None:
    """Raise if the dataset can't be trained or judged on.

    Raises:
        InputError: with all errors.
    """
    if report.errors:
        raise InputError(
            "The dataset can't be trained and judged on. " + " ".join(report.errors),
            hint="Add patients of both classes; `isocenter data show latest` prints what is there.",
        )
