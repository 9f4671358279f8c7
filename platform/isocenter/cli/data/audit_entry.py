"""One line in the audit trail for what a data verb did."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.home import Home


def append_entry(home: "Home", action: str, dataset_digest: str, details: Mapping[str, Any]) -> None:
    """Record that the current actor did ``action`` to a dataset, with success.

    Args:
        home: the store.
        action: dotted verb, e.g. ``dataset.ingest``.
        dataset_digest: of the dataset.
        details: facts without patient data.

    Raises:
        IntegrityError: the trail was tampered with.
    """
    from isocenter.audit.actor import current_actor
    from isocenter.audit.trail import AuditTrail
    from isocenter.domain.audit_event import AuditEvent
    from isocenter.storage.database import open_database

    database = open_database(home)
    try:
        event = AuditEvent(
            actor=current_actor(), action=action, object=f"dataset:{dataset_digest}", details=details
        )
        AuditTrail(home, database).append(event)
    finally:
        database.close()
