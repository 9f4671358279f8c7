"""The interface through which a ModelVersion is copied to a target's own model registry.

Calls may be repeated: the outbox asks again after a fault, so each method is idempotent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class MirroredVersion:
    """What a service's registry is told of a ModelVersion.

    Args:
        name: of the model.
        number: of the version, from 1.
        digest: ``sha256:...`` of the model's file set.
        artifact_uri: where the target's bucket holds the files.
        metrics: name -> value, from its evaluation.
        labels: tags (owner, data classification); never patient data.
    """

    name: str
    number: int
    digest: str
    artifact_uri: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Mirror(Protocol):
    """One target's model registry.

    Every method raises TransientFaultError where the service may answer later, and InputError or
    EnvironmentFaultError where it won't.
    """

    def register(self, version: MirroredVersion) -> str:
        """Make the version known, or find it; returns the service's own id of it."""
        ...

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        """Give the version exactly these aliases; another version that had one of them loses it."""
        ...

    def set_approval(self, provider_id: str, approved: bool, reason: str) -> None:
        """Say whether the version may be used, and why."""
        ...
