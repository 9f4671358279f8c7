"""What evaluation needs to know of a training output: plan, image size, weights, digest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isocenter.domain.digest import digest_tree
from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError, IntegrityError


@dataclass(frozen=True)
class TrainedBundle:
    """A training output on disk.

    Args:
        root: the bundle's directory.
        plan: what was trained.
        image_size: rows and columns of the network's input.
        digest: of all its files.
    """

    root: Path
    plan: TrainingPlan
    image_size: int
    digest: str

    @property
    def onnx(self) -> Path:
        """The network as ONNX."""
        return self.root / "models" / "model.onnx"


def open_bundle(root: Path) -> TrainedBundle:
    """Read the bundle at ``root``.

    Raises:
        InputError: a file is missing or says something that can't be.
        IntegrityError: a symbolic link lies in it.
    """
    preprocessing = _read_json(root / "configs" / "preprocessing.json")
    try:
        plan = TrainingPlan.model_validate(_read_json(root / "configs" / "plan.json"))
        size = int(preprocessing["image_size"])
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"The bundle's configs can't be used: {type(error).__name__}.") from error
    try:
        return TrainedBundle(root, plan, size, digest_tree(root))
    except ValueError as error:
        raise IntegrityError(f"The bundle can't be digested: {error}.") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"The bundle lacks configs/{path.name}.", hint="Was training finished?") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The bundle's configs/{path.name} can't be read.") from error
