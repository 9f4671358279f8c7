"""The acceptance file: what a model must reach before it is registered."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isocenter.domain.evaluation import MetricName
from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError

DEFAULT_ACCEPTANCE = Path(__file__).with_name("acceptance.yaml")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SliceOf(_Part):
    """A subgroup of the test images; without a value, each value of the attribute that is large enough."""

    attribute: Literal["sex", "age_band", "scanner", "view"]
    value: str | None = None


class Rule(_Part):
    """A bound on one statistic of one metric, over all test images or a slice of them."""

    metric: MetricName
    statistic: Literal["value", "low", "high"] = "value"
    min: float | None = None
    max: float | None = None
    slice: SliceOf | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> "Rule":
        if (self.min is None) == (self.max is None):
            raise ValueError("a rule needs either min or max")
        return self

    @property
    def bound(self) -> float:
        """The number that must be reached (min) or not be passed (max)."""
        chosen = self.max if self.min is None else self.min
        assert chosen is not None  # noqa: S101 - the validator saw to it
        return chosen

    def margin(self, value: float) -> float:
        """How far ``value`` is on the right side of the bound; negative when it misses."""
        return value - self.bound if self.max is None else self.bound - value


class Acceptance(_Part):
    """All rules; a model must meet each."""

    schema_version: Literal[1] = 1
    rules: tuple[Rule, ...] = Field(min_length=1)


def load_acceptance(path: Path | None = None) -> Acceptance:
    """Read an acceptance file.

    Args:
        path: a YAML file; None for the one that ships with Isocenter.

    Raises:
        InputError: it can't be read, or a rule is wrong (the message says which).
    """
    import yaml

    chosen = path or DEFAULT_ACCEPTANCE
    try:
        return Acceptance.model_validate(yaml.safe_load(chosen.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"There is no acceptance file {str(path)!r}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The acceptance file {str(path)!r} can't be read: {error}") from error
    except ValidationError as error:
        faults = field_faults(error, Acceptance)
        raise InputError(f"The acceptance file {str(path)!r} is wrong: {faults}.") from error


def parse_acceptance(text: str) -> Acceptance:
    """Acceptance rules in JSON.

    Raises:
        InputError: it is no JSON, or a rule is wrong (the message says which).
    """
    try:
        return Acceptance.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"The acceptance rules are wrong: {field_faults(error, Acceptance)}.") from error
