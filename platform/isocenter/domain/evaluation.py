"""The EvaluationReport that ``evaluate`` writes and gate, card and registry read (``evaluation.json``).

The models are built when the first report is read: whoever starts a job needs none of them.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Estimate(BaseModel):
    """A metric with its 95 % bootstrap interval over patients.

    ``value`` is None where the metric is not defined (one class only); ``low`` and ``high`` are None
    where too few resamples had both classes, or where no error was seen and no exact bound is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    value: float | None
    low: float | None = None
    high: float | None = None


MetricName = Literal[
    "auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier", "expected_calibration_error"
]


class SplitCounts(BaseModel):
    """How much a split holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    images: int
    patients: int
    positives: int = Field(description="images of the positive class")


class SliceReport(BaseModel):
    """The metrics of one subgroup of the test images."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    attribute: str = Field(description="sex, age_band, scanner or view")
    value: str = Field(description="empty where the header did not say")
    images: int
    patients: int
    positives: int
    too_small: bool = Field(description="too few patients of a class to say anything")
    metrics: dict[MetricName, Estimate] = Field(description="empty where too_small, so nobody reads them")


class Decision(BaseModel):
    """How a logit becomes a calibrated score and a decision; chosen on validation images only."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    temperature: float = Field(gt=0, description="score = sigmoid(logit / temperature)")
    threshold: float = Field(ge=0, le=1, description="positive when score >= threshold")
    rule: str = Field(description="how the threshold was chosen")
    classes: tuple[str, str] = Field(
        default=("negative", "positive"), description="what the two calls are named, the negative one first"
    )

    def scores(self, logits: Any) -> "NDArray[np.float64]":
        """Calibrated scores, 0..1, of ``logits`` of any shape. Evaluation and serving both call this."""
        import numpy as np

        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        return np.exp(-np.logaddexp(0.0, -scaled))

    def is_positive(self, scores: Any) -> "NDArray[np.bool_]":
        """Whether each score is called positive."""
        import numpy as np

        return np.asarray(np.asarray(scores) >= self.threshold)


class EvaluationReport(BaseModel):
    """What a model did on the test images, and how sure we are of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    schema_version: Literal[1] = 1
    dataset_digest: str
    bundle_digest: str = Field(description="digest of the training output that was evaluated")
    classes: tuple[str, ...]
    split: Literal["test"] = "test"
    images: int
    patients: int
    positives: int
    validation: SplitCounts | None = Field(
        default=None, description="what temperature and threshold were chosen on"
    )
    decision: Decision
    metrics: dict[MetricName, Estimate]
    confusion: dict[Literal["tp", "fp", "tn", "fn"], int]
    slices: tuple[SliceReport, ...]
    smallest_class: int = Field(
        default=10, description="patients of each class under which a slice is too small"
    )
    bootstrap_replicates: int
    seed: int
