"""The declarative training plan: what to train, on which pixels, how, for how long.

A plan is a YAML file; it is stored beside the weights. A variant is one changed line.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isocenter.domain.field_faults import field_faults
from isocenter.domain.plan_names import unknown_names
from isocenter.errors import InputError

PLANS_DIRECTORY = Path(__file__).parent.parent / "plans"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(_Part):
    """A component by its registered name, with the arguments of its constructor.

    In YAML ``loss: focal`` is short for ``loss: {name: focal}``.
    """

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Task(_Part):
    """What is to be told apart."""

    kind: Literal["binary"] = "binary"
    classes: tuple[str, str] | None = Field(
        default=None, description="class names, the negative one first; None for those of the dataset"
    )


class Optimizer(_Part):
    """How weights are changed."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    average_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="moving average of the weights, decay an update; the average is validated and exported",
    )


class Schedule(_Part):
    """How the learning rate moves over the budget."""

    name: Literal["constant", "cosine", "one_cycle"] = "one_cycle"
    warmup_fraction: float = Field(default=0.2, ge=0, lt=1)


class Budget(_Part):
    """When training ends."""

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=16, ge=1, description="images in a step, over all processes")
    patience: int = Field(default=10, ge=1, description="epochs without a better validation score")
    target_auroc: float | None = Field(
        default=None, gt=0, le=1, description="stop when validation AUROC reaches this"
    )


class TrainingPlan(_Part):
    """One plan, whole."""

    name: str
    description: str = ""
    task: Task = Task()
    image_size: int = Field(default=128, ge=16, le=2048, description="rows and columns of the input")
    network: Named
    normalisation: Literal["standardise", "none"] = Field(
        default="standardise", description="standardise: each image to mean 0, deviation 1, in the network"
    )
    augmentation: tuple[Named, ...] = ()
    loss: Named = Named(name="cross_entropy")
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    budget: Budget = Budget()
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of forward and backward pass; auto: bfloat16 where the processor has it",
    )
    seed: int = Field(default=0, ge=0, lt=2**32)
    trainer: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="module:Class of a subclass of isocenter_training.trainer.Trainer; None for itself",
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> "TrainingPlan":
        transforms = [named.name for named in self.augmentation]
        unknown = () if self.trainer else unknown_names(self.network.name, self.loss.name, transforms)
        if found := "; ".join(unknown):
            raise ValueError(found)
        return self


def builtin_plans() -> tuple[str, ...]:
    """Names of the plans that ship with Isocenter."""
    return tuple(sorted(path.stem for path in PLANS_DIRECTORY.glob("*.yaml")))


def load_plan(source: str) -> TrainingPlan:
    """Read a plan by built-in name or from a YAML file.

    Args:
        source: a name from :func:`builtin_plans`, or the path of a YAML file.

    Raises:
        InputError: no such plan, not YAML, or a field is wrong (the message names it).
    """
    path = PLANS_DIRECTORY / f"{source}.yaml" if source in builtin_plans() else Path(source)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"No training plan {source!r}.",
            hint=f"Built in: {', '.join(builtin_plans())}; or give a YAML file.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The training plan {source!r} can't be read: {error}") from error
    return parse_plan(value, source=source)


def parse_plan(value: Any, *, source: str = "") -> TrainingPlan:
    """The plan in ``value``, as read from YAML or JSON.

    Args:
        value: a mapping of the plan's fields.
        source: where it came from, for the message.

    Raises:
        InputError: a field is missing, unknown or wrong (the message names it).
    """
    try:
        return TrainingPlan.model_validate(value)
    except ValidationError as error:
        name = f"The training plan {source!r}" if source else "The training plan"
        raise InputError(f"{name} is wrong: {field_faults(error, TrainingPlan)}.") from error
