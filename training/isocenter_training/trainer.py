"""What a training is made of, as hooks. A variant that the plan can't express is a subclass of one of them.

    class Weighted(Trainer):
        def build_loss(self) -> nn.Module:
            return MyLoss()

and ``trainer: my_package.weighted:Weighted`` in the plan, with the package installed in the container.
The loop around it (order, checkpoints, validation, early stopping) is the same for all.
"""

import importlib
from typing import TYPE_CHECKING

from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError
from isocenter_training import losses, networks, optimisation

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from isocenter_training.augmentation import Augmentation


class Trainer:
    """Builds the parts of a training from its plan and computes one step's loss.

    Args:
        plan: what to train.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan

    def build_network(self) -> "nn.Module":
        """The network, from float32 [N, 1, S, S] in 0..1 to logits [N, 1]; with fresh weights.

        Loading a bundle calls this too, so it must depend on the plan alone.
        """
        return networks.build_network(self.plan)

    def build_loss(self) -> "nn.Module":
        """A module from logits [N, 1] and labels [N, 1] (0 or 1) to the batch's mean loss."""
        return losses.build_loss(self.plan)

    def build_augmentation(self) -> "Augmentation":
        """What is done to training images at random."""
        from isocenter_training.augmentation import build_augmentation

        return build_augmentation(self.plan)

    def build_optimizer(self, network: "nn.Module") -> "torch.optim.Optimizer":
        """What changes the weights."""
        return optimisation.build_optimizer(self.plan, network)

    def learning_rate(self, used: float) -> float:
        """The learning rate when the part ``used`` (0..1) of the budget's steps is done."""
        return optimisation.learning_rate(self.plan, used)

    def training_step(
        self, network: "nn.Module", loss: "nn.Module", images: "Tensor", labels: "Tensor"
    ) -> "Tensor":
        """The loss of one batch, from which gradients flow back.

        Runs under autocast in the plan's precision.

        Args:
            network: in training mode.
            loss: from :meth:`build_loss`.
            images: float32 [N, 1, S, S], augmented.
            labels: float32 [N, 1].
        """
        value: Tensor = loss(network(images).float(), labels)
        return value


def build_trainer(plan: TrainingPlan) -> Trainer:
    """The trainer that the plan names, else :class:`Trainer` itself.

    Raises:
        InputError: the plan's ``trainer`` can't be imported or is no Trainer.
    """
    if plan.trainer is None:
        return Trainer(plan)
    module, name = plan.trainer.split(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"The plan's trainer {plan.trainer!r} can't be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Trainer)):
        raise InputError(f"The plan's trainer {plan.trainer!r} is no subclass of Trainer.")
    return found(plan)
