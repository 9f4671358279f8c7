"""The part of a card that the registry fills in: nobody writes it by hand."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from isocenter.domain.evaluation import Estimate, SliceReport


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitFacts(_Part):
    """How much a split of the dataset holds."""

    name: str
    images: int
    patients: int
    positives: int | None = None


class DatasetFacts(_Part):
    """What the model was made from."""

    digest: str
    classes: tuple[str, ...]
    images: int
    patients: int
    splits: tuple[SplitFacts, ...] = ()
    attributes: Mapping[str, Mapping[str, int]] = Field(
        default_factory=dict, description="images by value of sex, age_band, view, scanner"
    )


class EvaluationFacts(_Part):
    """What it did on the test images."""

    images: int
    patients: int
    positives: int
    threshold: float
    threshold_rule: str
    temperature: float
    metrics: Mapping[str, Estimate]
    confusion: Mapping[str, int]
    slices: tuple[SliceReport, ...] = ()
    bootstrap_replicates: int


class Facts(_Part):
    """Everything that the registry knows."""

    dataset: DatasetFacts | None = None
    evaluation: EvaluationFacts | None = None
    plan: Mapping[str, Any] = Field(default_factory=dict, description="the training plan, whole")
    lineage: Mapping[str, Any] = Field(default_factory=dict, description="run, code, environment, seeds")
