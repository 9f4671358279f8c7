"""Optimizers and learning-rate schedules.

A schedule is a function of how much of the budget is used, so that it has no state to save.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isocenter.domain.training_plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import nn

_START = 1 / 25
_END = 1e-4


def build_optimizer(plan: TrainingPlan, network: "nn.Module") -> "torch.optim.Optimizer":
    """The plan's optimizer over the network's weights, fused into one kernel an update.

    Weight decay acts on matrices and filters only, not on biases and normalisation (Goyal et al. 2017,
    arXiv:1706.02677, section 5.1).
    """
    import torch

    parameters = [p for p in network.parameters() if p.requires_grad]
    decay = plan.optimizer.weight_decay
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = plan.optimizer.learning_rate
    match plan.optimizer.name:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, fused=True)


def learning_rate(plan: TrainingPlan, used: float) -> float:
    """The learning rate when ``used`` (0..1) of the planned steps are done."""
    schedule = plan.schedule
    return plan.optimizer.learning_rate * _SHAPES[schedule.name](used, schedule.warmup_fraction)


def _constant(used: float, warmup: float) -> float:
    return min(1.0, _START + (1 - _START) * used / warmup) if warmup else 1.0


def _cosine(used: float, warmup: float) -> float:
    if used < warmup:
        return _constant(used, warmup)
    return _anneal(1.0, 0.0, (used - warmup) / (1 - warmup))


def _one_cycle(used: float, warmup: float) -> float:
    """Smith and Topin 2017, arXiv:1708.07120: cosine up from 1/25, cosine down to 1/10,000."""
    if used < warmup:
        return _anneal(_START, 1.0, used / warmup)
    return _anneal(1.0, _END, (used - warmup) / (1 - warmup))


def _anneal(start: float, end: float, used: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(used, 1.0))) / 2


_SHAPES: Mapping[str, Callable[[float, float], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}
