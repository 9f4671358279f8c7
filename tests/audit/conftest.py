"""A trail with some records, on each database."""

import pytest

from isocenter.audit import AuditTrail
from isocenter.domain.audit_event import AuditEvent
from isocenter.home import Home
from isocenter.storage.database import Database, open_database


@pytest.fixture
def database(records_home: Home) -> Database:
    return open_database(records_home)


@pytest.fixture
def trail(records_home: Home, database: Database) -> AuditTrail:
    return AuditTrail(records_home, database)


@pytest.fixture
def ten_records(trail: AuditTrail) -> AuditTrail:
    for number in range(1, 11):
        trail.append(AuditEvent("alice", "step.done", f"step:{number}", details={"number": number}))
    return trail
