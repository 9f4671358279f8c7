"""What a step changes: the network, its optimizer, and the moving average of the network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from isocenter_training.checkpoint import TrainingState
from isocenter_training.trainer import Trainer


class Weights:
    """A network being trained.

    Args:
        trainer: builds network and optimizer, from the plan's seed.
        device: where they are.
    """

    def __init__(self, trainer: Trainer, device: torch.device) -> None:
        torch.manual_seed(trainer.plan.seed)
        network = trainer.build_network().to(device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = trainer.build_optimizer(self.network)
        self._decay = trainer.plan.optimizer.average_decay
        self._average = None if self._decay is None else _average(self.network)

    @property
    def scored(self) -> nn.Module:
        """What is validated and exported: the moving average if the plan wants one, else the network."""
        return self._average.module if self._average is not None else self.network

    def set_learning_rate(self, rate: float) -> None:
        """Of the next update."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def update(self, step: int) -> None:
        """Change the weights by their gradients and clear these.

        Args:
            step: updates made before. The average forgets its start faster: decay is at most (1+n)/(10+n).
        """
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None and self._decay is not None:
            decay = min(self._decay, (1 + step) / (10 + step))
            self._average.multi_avg_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            self._average.update_parameters(self.network)

    def copy_scored(self) -> dict[str, Tensor]:
        """A copy of the state of :attr:`scored`, on the CPU."""
        return _copy(self.scored.state_dict())

    def store(self, state: TrainingState) -> None:
        """Put the weights into ``state``."""
        state.network = _copy(self.network.state_dict())
        state.average = _copy(self._average.state_dict()) if self._average is not None else {}
        state.optimizer = self._optimizer.state_dict()

    def restore(self, state: TrainingState) -> None:
        """Take the weights from ``state``, if it holds any."""
        if not state.network:
            return
        self.network.load_state_dict(state.network)
        self._optimizer.load_state_dict(state.optimizer)
        if self._average is not None:
            self._average.load_state_dict(state.average)


def _average(network: nn.Module) -> AveragedModel:
    first = get_ema_multi_avg_fn(0.0)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=first, use_buffers=True)


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
