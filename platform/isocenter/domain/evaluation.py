"""The EvaluationReport that ``evaluate`` writes and gate, card and registry read (``evaluation.json``)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Estimate(BaseModel):
    """A metric with its 95 % bootstrap interval over patients.

    ``value`` is None where the metric is not defined (one class only); ``low`` and ``high`` are None
    where too few resamples had both classes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None


MetricName = Literal[
    "auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier", "expected_calibration_error"
]


class SliceReport(BaseModel):
    """The metrics of one subgroup of the test images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attribute: str = Field(description="sex, age_band, scanner or view")
    value: str
    images: int
    patients: int
    positives: int
    too_small: bool = Field(description="too few patients of a class to say anything")
    metrics: dict[MetricName, Estimate]


class Decision(BaseModel):
    """How a logit becomes a calibrated score and a decision; chosen on validation images only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(gt=0, description="score = sigmoid(logit / temperature)")
    threshold: float = Field(ge=0, le=1, description="positive when score >= threshold")
    rule: str = Field(description="how the threshold was chosen")


class EvaluationReport(BaseModel):
    """What a model did on the test images, and how sure we are of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    dataset_digest: str
    bundle_digest: str = Field(description="digest of the training output that was evaluated")
    classes: tuple[str, ...]
    split: Literal["test"] = "test"
    images: int
    patients: int
    positives: int
    decision: Decision
    metrics: dict[MetricName, Estimate]
    confusion: dict[Literal["tp", "fp", "tn", "fn"], int]
    slices: tuple[SliceReport, ...]
    bootstrap_replicates: int
    seed: int
