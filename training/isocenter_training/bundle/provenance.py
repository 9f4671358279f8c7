"""What a bundle says of the training that made it. No times: the same training gives the same bytes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """How the weights came about, beside plan and dataset.

    Args:
        device: ``cpu`` or ``cuda``.
        threads: CPU threads inside torch's operations.
        processes: that trained together.
        precision: of the forward and backward pass.
        epochs: run.
        best_epoch: whose weights these are, counted from 1.
        validation_auroc: of that epoch.
        validation_loss: of that epoch.
    """

    device: str
    threads: int
    processes: int
    precision: str
    epochs: int
    best_epoch: int
    validation_auroc: float
    validation_loss: float
