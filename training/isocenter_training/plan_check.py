"""``python -m isocenter_training.plan_check``: can this program make of a plan what the plan asks for?

Reads a TrainingPlan as JSON from standard input and builds its parts, without data. Exit code 0: it can; 3:
it can't, and the reason is on standard error; 9: only the container can tell, since the plan names a trainer
that is not installed here.
"""

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from isocenter.domain.training_plan import TrainingPlan, parse_plan
from isocenter.errors import InputError, IsocenterError

if TYPE_CHECKING:
    from torch import nn

NOT_HERE = 9


def main() -> int:
    """Check the plan on standard input and return the exit code."""
    try:
        plan = parse_plan(json.load(sys.stdin))
        if plan.trainer is not None and not _is_installed(plan.trainer.partition(":")[0]):
            print(f"The plan's trainer {plan.trainer!r} is not installed here.", file=sys.stderr)
            return NOT_HERE
        check_plan(plan)
    except IsocenterError as error:
        print(" ".join(f"{error.message} {error.hint}".split()), file=sys.stderr)
        return error.exit_code
    return 0


def check_plan(plan: TrainingPlan) -> None:
    """Build all that a training is made of.

    Raises:
        InputError: a part can't be built; the message names the plan's field.
    """
    from isocenter_training.trainer import build_trainer

    trainer = build_trainer(plan)
    trainer.build_augmentation()
    _try_loss(trainer.build_loss(), plan)
    trainer.build_optimizer(trainer.build_network())


def _try_loss(loss: "nn.Module", plan: TrainingPlan) -> None:
    """Some losses take any argument, and fail on the first batch."""
    import torch

    try:
        value = loss(torch.zeros(2, 1), torch.tensor([[0.0], [1.0]]))
    except Exception as error:
        raise InputError(f"The plan's loss.arguments make {plan.loss.name} fail: {error}") from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not bool(torch.isfinite(value)):
        raise InputError(f"The plan's loss.arguments make {plan.loss.name} give no number for a batch.")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
