"""ModelVersions, aliases and approvals."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class Alias(enum.StrEnum):
    """A moving name for one version of a model."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"


@dataclass(frozen=True)
class ModelVersion:
    """One immutable version: a name, a number and the digest of its bundle.

    Args:
        name: the model's name.
        number: 1, 2, 3 ... within the name.
        artifact_digest: ``sha256:...`` of the bundle's file set.
        artifact_uri: directory of the bundle.
        dataset_digest: DatasetVersion that it was trained on.
        run: run id of the training.
        created_at: when it was registered (UTC).
        aliases: aliases that point here now.
        metrics: JSON-able numbers that were given at registration.
        created_by: who registered it.
    """

    name: str
    number: int
    artifact_digest: str
    artifact_uri: str
    dataset_digest: str
    run: str
    created_at: datetime
    aliases: tuple[Alias, ...] = field(default=())
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created_by: str = ""

    @property
    def reference(self) -> str:
        """``name:number``."""
        return f"{self.name}:{self.number}"


@dataclass(frozen=True)
class Approval:
    """Who allowed a ModelVersion to take an alias, and why."""

    model: str
    number: int
    alias: Alias
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class AliasMove:
    """One step in the history of an alias.

    Args:
        model: the model's name.
        alias: what moved.
        from_number: version that it pointed at before; None if it was new.
        number: version that it points at since.
        actor: who moved it.
        reason: why.
        at: when (UTC).
    """

    model: str
    alias: Alias
    from_number: int | None
    number: int
    actor: str
    reason: str
    at: datetime
