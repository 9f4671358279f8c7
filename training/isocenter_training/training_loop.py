"""The loop around a trainer: epochs, checkpoints, validation, early stopping. The same for every plan."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocenter_training.batches import Batch, Images, TrainingBatches
from isocenter_training.checkpoint import TrainingState, save_checkpoint
from isocenter_training.distributed import Group
from isocenter_training.metrics_log import MetricsLog
from isocenter_training.progress import Reporter
from isocenter_training.signals import Stopped, StopSignal
from isocenter_training.trainer import Trainer
from isocenter_training.validation import Validation, validate
from isocenter_training.weights import Weights


@dataclass(frozen=True)
class Surroundings:
    """What a loop works with, beside the trainer.

    Args:
        device: where the network is.
        precision: of forward and backward pass.
        group: the processes of this training.
        checkpoint_dir: where the state is saved.
        metrics: where a line an epoch goes.
        reporter: told of each step.
        stop: asked after each step.
        checkpoint_saved: called after each save.
    """

    device: torch.device
    precision: torch.dtype
    group: Group
    checkpoint_dir: Path
    metrics: MetricsLog
    reporter: Reporter
    stop: StopSignal
    checkpoint_saved: Callable[[], None] = lambda: None


class TrainingLoop:
    """Trains one network to the end of its budget, from the start or from a saved state.

    Every step is a function of the state, the plan and the dataset: batches come from (seed, epoch), each
    image's augmentation from (seed, epoch, image), dropout from (seed, step). So a continued run repeats
    exactly what an uninterrupted one does.

    Attributes:
        state: where the training is; its best weights are what it is for.
        precision: of forward and backward pass.
    """

    def __init__(
        self,
        trainer: Trainer,
        batches: TrainingBatches,
        validation: Images,
        surroundings: Surroundings,
        state: TrainingState,
    ) -> None:
        self._trainer = trainer
        self._plan = trainer.plan
        self._batches = batches
        self._validation = validation
        self._at = surroundings
        self.precision = surroundings.precision
        self.state = state
        self._weights = Weights(trainer, surroundings.device)
        self._weights.restore(state)
        if not surroundings.group.writes:
            state.loss_sum = torch.zeros_like(state.loss_sum)  # the saved one is the sum over all processes
        state.loss_sum = state.loss_sum.to(surroundings.device)
        self._loss = trainer.build_loss().to(surroundings.device)
        self._wrapped = surroundings.group.wrap(self._weights.network, surroundings.device)

    @property
    def total_steps(self) -> int:
        """Steps in the whole budget."""
        return self._plan.budget.epochs * self._batches.steps

    @property
    def done_steps(self) -> int:
        """Steps completed."""
        return self.state.epoch * self._batches.steps + self.state.step

    def run(self) -> None:
        """Train until the budget, early stopping or the target score ends it; ``state`` is the result.

        Raises:
            Stopped: SIGTERM came; a checkpoint is saved.
        """
        self._at.metrics.restore(self.state.history)
        self._at.reporter.start(self.done_steps, self.total_steps)
        try:
            while not self.state.finished:
                self._run_epoch()
        finally:
            self._at.reporter.close()

    def _run_epoch(self) -> None:
        state = self.state
        begin = time.monotonic() - state.seconds
        self._wrapped.train()
        for batch in self._batches.epoch(state.epoch, state.step):
            loss = self._step(batch)
            state.loss_sum = state.loss_sum + loss.detach().double() * len(batch.labels)
            state.step += 1
            state.seconds = time.monotonic() - begin
            self._at.reporter.step(self.done_steps, self._facts)
            if self._at.group.any(self._at.stop.received):
                self._save()
                raise Stopped
        state.loss_sum.item()  # waits for the device
        state.seconds = time.monotonic() - begin
        self._end_epoch()

    def _step(self, batch: Batch) -> Tensor:
        """One change of the weights."""
        self._weights.set_learning_rate(self._trainer.learning_rate(self.done_steps / self.total_steps))
        torch.manual_seed(_step_seed(self._plan.seed, self.done_steps, self._at.group.rank))
        with torch.autocast(self._at.device.type, self.precision, enabled=self._is_mixed):
            loss = self._trainer.training_step(self._wrapped, self._loss, batch.images, batch.labels)
        # The mean over processes is the mean over images only if each counts by its share of the batch.
        (loss * (len(batch.labels) * self._at.group.size / self._batches.batch_size)).backward()  # type: ignore[no-untyped-call]
        self._weights.update(self.done_steps)
        return loss

    @property
    def _is_mixed(self) -> bool:
        return self.precision != torch.float32

    def _end_epoch(self) -> None:
        state = self.state
        self._at.group.same_buffers(self._weights.scored)
        score = validate(self._weights.scored, self._loss, self._validation, self._at.group)
        entry = self._entry(score)
        state.history.append(entry)
        state.stale_epochs += 1
        if _is_better(entry, state.best):
            state.best, state.stale_epochs = entry, 0
            state.best_weights = self._weights.copy_scored()
        state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
        state.loss_sum = torch.zeros((), dtype=torch.float64, device=self._at.device)
        state.finished = self._is_over(score)
        self._at.metrics.append(entry)
        self._save()

    def _entry(self, score: Validation) -> dict[str, Any]:
        state = self.state
        images = state.step * self._batches.batch_size
        used = (self.done_steps - 1) / self.total_steps
        return {
            "epoch": state.epoch + 1,
            "loss": float(self._at.group.sum(state.loss_sum)) / images,
            "validation_auroc": score.auroc,
            "validation_loss": score.loss,
            "learning_rate": self._trainer.learning_rate(used),
            "seconds": round(state.seconds, 3),
            "images_per_second": round(images / max(state.seconds, 1e-9), 1),
        }

    def _is_over(self, score: Validation) -> bool:
        budget = self._plan.budget
        reached = budget.target_auroc is not None and score.auroc >= budget.target_auroc
        return reached or self.state.epoch >= budget.epochs or self.state.stale_epochs >= budget.patience

    def _facts(self) -> Mapping[str, Any]:
        """Figures for the progress report."""
        state = self.state
        seen = max(1, state.step) * self._batches.batch_size / self._at.group.size
        last = state.history[-1]["validation_auroc"] if state.history else None
        facts = {"epoch": state.epoch + 1, "epochs": self._plan.budget.epochs}
        return facts | {"loss": round(float(state.loss_sum) / seen, 5), "validation_auroc": last}

    def _save(self) -> None:
        self.state.loss_sum = self._at.group.sum(self.state.loss_sum)
        if self._at.group.writes:
            self._weights.store(self.state)
            save_checkpoint(self._at.checkpoint_dir, self.state)
            self._at.checkpoint_saved()


def _step_seed(seed: int, step: int, rank: int) -> int:
    """A seed for dropout in one step of one process."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _is_better(entry: Mapping[str, Any], best: Mapping[str, Any] | None) -> bool:
    """Higher validation AUROC, or the same with a lower loss."""
    if best is None:
        return True
    return (entry["validation_auroc"], -entry["validation_loss"]) > (
        best["validation_auroc"],
        -best["validation_loss"],
    )
