"""The records database: transactions on SQLite or PostgreSQL, its schema brought up to date on opening."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from isocenter.home import Home
from isocenter.storage.database_faults import explained
from isocenter.storage.engine import make_engine
from isocenter.storage.schema import SCHEMA_REVISION

_AFTER_COMMIT = "isocenter_after_commit"


class Database:
    """Transactions on one database.

    Args:
        engine: from :func:`isocenter.storage.engine.make_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(isocenter_write=True)
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshot)
        self._finalizer = weakref.finalize(self, engine.dispose)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; else it is PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from its first query to its end.

        Raises:
            EnvironmentFaultError: the database can't be reached or read.
        """
        with explained(self.engine.url), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends and rolled back when it raises.

        On SQLite it holds the one write lock from its start; others wait up to 30 s for it.

        Raises:
            EnvironmentFaultError: the database can't be reached or written.
        """
        with explained(self.engine.url):
            with self._writer.begin() as connection:
                callbacks = connection.info[_AFTER_COMMIT] = []
                try:
                    yield connection
                finally:
                    del connection.info[_AFTER_COMMIT]
            for callback in callbacks:
                callback()

    def upsert(self, table: Any) -> Any:
        """An INSERT into ``table`` that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        if self.is_sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            return sqlite_insert(table)
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)

    def close(self) -> None:
        """Close all connections; happens by itself when nothing refers to the database any more."""
        self.engine.dispose()


def after_commit(connection: Connection, callback: Callable[[], None]) -> None:
    """Call ``callback`` once the transaction of :meth:`Database.write` on ``connection`` is committed."""
    connection.info[_AFTER_COMMIT].append(callback)


def open_database(home: Home) -> Database:
    """The records of the store ``home``, with the schema that this code needs.

    Alembic is imported only when the schema is behind, e.g. in a new store.

    Raises:
        EnvironmentFaultError: unreachable, read-only, or made by a newer Isocenter.
        IntegrityError: the database file is damaged.
    """
    database = Database(make_engine(home.database_url))
    with explained(database.engine.url):
        if schema_revision(database) != SCHEMA_REVISION:
            from isocenter.storage.migration import bring_up_to_date

            bring_up_to_date(database)
    return database


def schema_revision(database: Database) -> str | None:
    """The Alembic revision that the database is at; None if it is empty."""
    try:
        with database.engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except ProgrammingError:
        return None
    except OperationalError as error:
        if "no such table" in str(error.orig):
            return None
        raise
