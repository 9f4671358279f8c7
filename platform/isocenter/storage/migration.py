"""Bringing a database to this code's schema with Alembic, by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from isocenter.errors import EnvironmentFaultError
from isocenter.storage.database import Database
from isocenter.storage.engine import database_file
from isocenter.storage.schema import SCHEMA_REVISION

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x150CE27E  # any number that nobody else in the database uses


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that ``database`` lacks, all in one transaction.

    Raises:
        EnvironmentFaultError: its revision is not one of ours: a newer Isocenter made it.
    """
    from alembic import command

    config = _configuration()
    with _alone(database) as connection:
        _refuse_unknown(config, _revision(connection))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _configuration() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    if not database.is_sqlite:
        with database.write() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield connection
        return
    from filelock import FileLock

    file = database_file(database.engine.url)
    with FileLock(file.with_name(file.name + ".migration.lock")):
        _use_write_ahead_log(database)
        with database.write() as connection:
            yield connection


def _use_write_ahead_log(database: Database) -> None:
    # Outside of any transaction, and only here: switching while others read would find the file locked.
    connection = database.engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_unknown(config: "Config", found: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise EnvironmentFaultError(
            f"The records database was made by a newer Isocenter (schema {found}; "
            f"this one knows up to {SCHEMA_REVISION}).",
            hint="Upgrade isocenter on this machine.",
        )
