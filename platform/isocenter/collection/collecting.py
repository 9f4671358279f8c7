"""Collecting what the serving programs of one endpoint kept; killed at any time, it goes on when repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.audit.trail import AuditTrail
from isocenter.collection.denials import audit_denials
from isocenter.collection.features import ship_features
from isocenter.home import Home
from isocenter.storage.database import open_database
from isocenter.targets.target import Target


@dataclass(frozen=True)
class Collected:
    """What was done.

    Args:
        denials: callers not let in that went into the audit trail.
        files: of features that went to the target's bucket.
        left: files of features that stay where they are, because the target has no bucket for them.
    """

    denials: int = 0
    files: int = 0
    left: int = 0


def collect(home: Home, target: Target, endpoint: str, folders: Sequence[Path]) -> Collected:
    """Take denials into the audit trail and ship features.

    Args:
        home: the store.
        target: where the endpoint is.
        endpoint: its name.
        folders: where its serving programs keep things (``--capture-dir``).

    Raises:
        IntegrityError: the audit trail was tampered with.
        TransientFaultError: the target's storage can't be reached; repeat it.
    """
    database = open_database(home)
    try:
        trail = AuditTrail(home, database)
        denials = sum(audit_denials(database, trail, endpoint, folder / "denials") for folder in folders)
    finally:
        database.close()
    ready = [path for folder in folders for path in sorted((folder / "features" / "ready").glob("*.jsonl"))]
    descriptor = target.descriptor
    if descriptor is None or "data" not in descriptor.buckets:
        return Collected(denials, left=len(ready))
    return Collected(denials, ship_features(ready, endpoint, descriptor))
