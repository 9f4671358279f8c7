"""What a caller may set of an evaluation."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError
from isocenter_training.evaluation.slices import SMALLEST_CLASS


class EvaluationParameters(BaseModel):
    """The parameters of ``evaluate``; each has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_replicates: int = Field(default=1000, ge=100, le=20_000, description="resamples of patients")
    seed: int = Field(default=0, ge=0, lt=2**32, description="of the resampling")
    threshold_rule: str = Field(
        default="youden", description="youden, sensitivity>=X or specificity>=X, on validation images"
    )
    smallest_class: int = Field(
        default=SMALLEST_CLASS, ge=1, description="patients of each class under which a slice is too small"
    )
    cases: int = Field(
        default=4, ge=0, le=12, description="X-rays shown of each kind; 0 keeps pictures out of the report"
    )
    batch_size: int = Field(default=32, ge=1, le=1024, description="images in one call of the network")
    threads: int | None = Field(default=None, ge=1, description="threads of ONNX Runtime; None: all cores")


def read_parameters(values: Mapping[str, Any]) -> EvaluationParameters:
    """Check ``values`` of a RunContext.

    Raises:
        InputError: a value is wrong or unknown; the message names it.
    """
    try:
        return EvaluationParameters.model_validate(dict(values))
    except ValidationError as error:
        faults = field_faults(error, EvaluationParameters)
        raise InputError(f"The evaluation's parameters are wrong: {faults}.") from error
