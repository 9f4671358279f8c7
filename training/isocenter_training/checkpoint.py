"""Where a training is, on disk: written whole or not at all, read without running code from the file."""

import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isocenter.errors import InputError
from isocenter.storage import atomic

_FILE = "checkpoint.pt"
_FORMAT = 1


@dataclass
class TrainingState:
    """Everything that the next step depends on, beside plan and dataset. No random generator has state.

    Args:
        identity: digest of plan and dataset that this state belongs to.
        epoch: epochs completed.
        step: steps completed in the epoch at hand.
        loss_sum: float64 scalar: sum of this process's losses of those steps, weighted by images.
        seconds: spent in those steps.
        stale_epochs: completed since the validation score was best.
        finished: no further epoch will be run.
        resumed: how often the training was continued from a checkpoint.
        history: one mapping an epoch: what metrics.jsonl holds.
        best: the entry of ``history`` whose weights are ``best_weights``.
        best_weights: state of the network at ``best``.
        network: state of the network.
        average: state of the moving average of the network, when the plan wants one.
        optimizer: state of the optimizer.
    """

    identity: str
    epoch: int = 0
    step: int = 0
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    seconds: float = 0.0
    stale_epochs: int = 0
    finished: bool = False
    resumed: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    network: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: Path, state: TrainingState) -> None:
    """Replace the folder's checkpoint by ``state``: temporary name, fsync, rename."""
    values = {entry.name: getattr(state, entry.name) for entry in fields(state)}
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, **values}, buffer)
    atomic.write_bytes(folder / _FILE, buffer.getvalue(), mode=0o600)


def load_checkpoint(folder: Path, identity: str) -> TrainingState | None:
    """The folder's checkpoint, on the CPU; None when there is none. Left-overs of a killed write are removed.

    Raises:
        InputError: the checkpoint belongs to another plan or dataset, or can't be read.
    """
    for left_over in folder.glob(".tmp-*"):
        left_over.unlink()
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if values.pop("format") != _FORMAT:
            raise ValueError("written by another version")
        state = TrainingState(**values)
    except Exception as error:  # a damaged file fails in torch, pickle or zipfile, in many ways
        raise InputError(
            f"The checkpoint can't be read: {type(error).__name__}: {error}",
            hint=f"Remove {_FILE} from the checkpoint directory to train from the start.",
        ) from error
    if state.identity != identity:
        raise InputError(
            "The checkpoint directory holds the checkpoint of another plan or dataset.",
            hint="Use an empty checkpoint directory, or the plan and dataset that it belongs to.",
        )
    return state
