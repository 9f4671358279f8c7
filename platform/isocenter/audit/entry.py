"""One record in the audit trail, for a verb that does nothing else with the database."""

from collections.abc import Mapping
from typing import Any

from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.home import Home


def append_entry(
    home: Home,
    action: str,
    about: str,
    details: Mapping[str, Any],
    outcome: Outcome = Outcome.SUCCESS,
) -> None:
    """Record what the current actor did.

    Args:
        home: the store.
        action: dotted verb, e.g. ``dataset.ingest``.
        about: what it was done to, e.g. ``deployment:aws-prod``.
        details: facts without patient data.
        outcome: how it ended.

    Raises:
        IntegrityError: the trail was tampered with.
    """
    from isocenter.audit.actor import current_actor
    from isocenter.audit.trail import AuditTrail
    from isocenter.storage.database import open_database

    event = AuditEvent(current_actor(), action, about, outcome, details)
    database = open_database(home)
    try:
        AuditTrail(home, database).append(event)
    finally:
        database.close()
