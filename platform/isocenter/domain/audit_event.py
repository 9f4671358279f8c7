"""Who did what to which object, with what outcome."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class Outcome(enum.StrEnum):
    """How the action ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


@dataclass(frozen=True)
class AuditEvent:
    """One record of the audit trail, before it is chained.

    Args:
        actor: who: an operating-system user, a service or a token's subject; never a patient.
        action: dotted verb, e.g. ``dataset.ingest`` or ``model.promote``.
        object: what it was done to, e.g. ``model:cxr:3`` or ``dataset:sha256:...``.
        outcome: how it ended.
        details: JSON-able facts without patient data.
        at: when (UTC); None lets the trail set it on append.
    """

    actor: str
    action: str
    object: str
    outcome: Outcome = Outcome.SUCCESS
    details: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
