"""Losses by name, from logits [N, 1] and labels [N, 1] in 0..1 to a scalar.

To add one, add a line to :data:`LOSSES` and its name to :mod:`isocenter.domain.plan_names`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError


class CrossEntropy(nn.Module):
    """Binary cross-entropy of logits.

    Args:
        label_smoothing: labels become ``label * (1 - s) + s / 2``; keeps scores from running to 0 and 1.
        positive_weight: how much an error on a positive image counts against one on a negative image.
    """

    def __init__(self, label_smoothing: float = 0.0, positive_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError("label_smoothing is not in [0, 1)")
        if positive_weight <= 0:
            raise ValueError("positive_weight is not above 0")
        self.label_smoothing = label_smoothing
        self.positive_weight = positive_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of a batch."""
        smooth = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        weight = logits.new_tensor([self.positive_weight])
        return nn.functional.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weight)


def _focal(**arguments: Any) -> nn.Module:
    from monai.losses.focal_loss import FocalLoss

    loss: nn.Module = FocalLoss(use_softmax=False, **arguments)
    return loss


LOSSES: Mapping[str, Callable[..., nn.Module]] = {"cross_entropy": CrossEntropy, "focal": _focal}
"""Plan name -> constructor."""


def build_loss(plan: TrainingPlan) -> nn.Module:
    """The plan's loss.

    Raises:
        InputError: the loss or one of its arguments is unknown (the message names the plan's field).
    """
    name, arguments = plan.loss.name, plan.loss.arguments
    if name not in LOSSES:
        raise InputError(f"The plan's loss.name {name!r} is unknown.", hint=f"Known: {', '.join(LOSSES)}.")
    try:
        return LOSSES[name](**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"The plan's loss.arguments don't fit {name}: {error}") from error
