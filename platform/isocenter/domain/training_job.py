"""The cloud-neutral request for one execution of the training container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Compute:
    """What the job needs, in neutral terms.

    Args:
        gpu: neutral size (``l4``, ``a100-80``, ...); None for CPU only.
        gpu_count: GPUs on each node.
        nodes: machines.
        spot: whether an interruptible machine will do.
        max_runtime_s: the service stops the job after this many seconds; None for no limit.
    """

    gpu: str | None = None
    gpu_count: int = 0
    nodes: int = 1
    spot: bool = False
    max_runtime_s: int | None = None


@dataclass(frozen=True)
class TrainingJob:
    """One job for the training container, written once for every backend.

    Args:
        name: lower-case words joined by hyphens; names the job in lists, never patient data.
        command: the container's arguments, e.g. ``("train",)``.
        inputs: channel name -> URI or directory.
        parameters: JSON-able values handed to the program.
        image: image reference with digest; None runs in this Python environment (``local`` only).
        compute: machine size.
        environment: further environment variables.
        labels: tags that a service shows (model, owner, data classification).
        residency: zone that inputs and outputs must not leave; None for no restriction.
    """

    name: str
    command: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    compute: Compute = field(default_factory=Compute)
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    residency: str | None = None
