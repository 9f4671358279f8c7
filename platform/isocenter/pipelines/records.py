"""All records of one store that a pipeline reads and writes, opened together."""

from dataclasses import dataclass

from isocenter.audit import AuditTrail
from isocenter.home import Home
from isocenter.lineage import LineageEmitter
from isocenter.registry.runs import RunRecords, StepCache
from isocenter.storage.database import Database, open_database


@dataclass(frozen=True)
class Records:
    """The records of one store."""

    home: Home
    database: Database
    runs: RunRecords
    cache: StepCache
    trail: AuditTrail
    lineage: LineageEmitter


def open_records(home: Home) -> Records:
    """Open the records of ``home``.

    Raises:
        EnvironmentFaultError: the database can't be reached.
    """
    database = open_database(home)
    return Records(
        home=home,
        database=database,
        runs=RunRecords(database),
        cache=StepCache(database),
        trail=AuditTrail(home, database),
        lineage=LineageEmitter(home),
    )
