"""SQLAlchemy engines for the two databases that we run on: SQLite (3.35 or newer) and PostgreSQL."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from isocenter.errors import EnvironmentFaultError

BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def make_engine(address: str) -> Engine:
    """An engine for the database at ``address`` (a SQLAlchemy URL); connects to nothing yet.

    Transactions opened with the execution option ``isocenter_write`` take SQLite's write lock at once
    (``BEGIN IMMEDIATE``), so that none has to be given up half way.

    Raises:
        EnvironmentFaultError: not a URL, another database than SQLite or PostgreSQL, or its driver is absent.
    """
    url = _parse(address)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    try:
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "isocenter"},
        )
    except ModuleNotFoundError as error:
        raise EnvironmentFaultError(
            "The driver for PostgreSQL is not installed.", hint="pip install 'isocenter[postgresql]'"
        ) from error


def database_file(url: URL) -> Path:
    """Where SQLite keeps the database of ``url``."""
    return Path(url.database or "")


def _parse(address: str) -> URL:
    hint = "Set ISOCENTER_DATABASE_URL to sqlite:////path/file.db or postgresql://user@host/database."
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise EnvironmentFaultError("The database URL can't be parsed.", hint=hint) from error
    backend = url.drivername.partition("+")[0]
    if backend not in _DRIVERS:
        raise EnvironmentFaultError(f"Records can't be kept in {backend!r}.", hint=hint)
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise EnvironmentFaultError("Records need an SQLite file, not memory.", hint=hint)
    return url.set(drivername=_DRIVERS[backend])


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    # None: the driver's own implicit BEGIN is off, _begin_sqlite decides.
    connection.isolation_level = None
    connection.text_factory = _decode
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _decode(value: bytes) -> str:
    # Text that is no UTF-8 was not written by us: it must be seen by whoever verifies, not crash the driver.
    return value.decode("utf-8", "surrogateescape")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("isocenter_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
