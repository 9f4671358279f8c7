"""The declarative training plan: what to train, on which pixels, how, for how long.

A plan is a YAML file; it is stored beside the weights. A variant is one changed line.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isocenter.errors import InputError

PLANS_DIRECTORY = Path(__file__).parent.parent / "plans"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(_Part):
    """A component by its registered name, with the arguments of its constructor."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Task(_Part):
    """What is to be told apart."""

    kind: Literal["binary"] = "binary"
    classes: tuple[str, str] = Field(
        default=("normal", "pneumonia"), description="class names, the negative one first"
    )


class Optimizer(_Part):
    """How weights are changed."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)


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
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**32)


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
        return TrainingPlan.model_validate(value)
    except FileNotFoundError:
        raise InputError(
            f"No training plan {source!r}.",
            hint=f"Built in: {', '.join(builtin_plans())}; or give a YAML file.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The training plan {source!r} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise InputError(f"The training plan {source!r} is wrong at {where}: {first['msg']}.") from error
