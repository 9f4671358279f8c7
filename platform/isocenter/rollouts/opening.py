"""Opening the endpoints of a store with all that they stand on."""

from isocenter.audit.trail import AuditTrail
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.rollouts.driver import Driver, Watcher, silent
from isocenter.rollouts.operations import Operations
from isocenter.rollouts.records import RolloutRecords
from isocenter.servers.base import load_server
from isocenter.storage.database import open_database
from isocenter.targets.catalogue import find_target


def open_records(home: Home) -> RolloutRecords:
    """The history of the endpoints of ``home``."""
    database = open_database(home)
    return RolloutRecords(database, AuditTrail(home, database))


def open_operations(home: Home, target: str, watcher: Watcher = silent) -> Operations:
    """The verbs of the endpoints of ``home`` on one target.

    Raises:
        NotFoundError: there is no such target, or nothing serves models there.
        EnvironmentFaultError: its packages are not installed.
    """
    database = open_database(home)
    trail = AuditTrail(home, database)
    place = find_target(home, target)
    server = load_server(place.backend, home, place.settings)
    records = RolloutRecords(database, trail)
    registry = ModelRegistry(home, database, trail)
    driver = Driver(home, place, server, records, registry, watcher)
    return Operations(home, registry, records, driver)
