"""Opening the registry of a store with all that it stands on."""

from isocenter.audit.trail import AuditTrail
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.storage.database import open_database


def open_registry(home: Home) -> ModelRegistry:
    """The models of ``home``.

    Raises:
        EnvironmentFaultError: the database can't be reached.
    """
    database = open_database(home)
    return ModelRegistry(home, database, AuditTrail(home, database))
