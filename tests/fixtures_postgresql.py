"""A real PostgreSQL server for the tests that need one: a private cluster in a temporary directory."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.home import Home

LACKS = "LACKS: "
PASSWORD = "CANARY-password"


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server that asks for a password.

    Args:
        port: on 127.0.0.1.
        password: of the superuser ``isocenter``.
    """

    port: int
    password: str = PASSWORD

    def url(self, database: str, *, password: str | None = None) -> str:
        """The SQLAlchemy URL of ``database``."""
        return f"postgresql://isocenter:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside of a transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Starts the server; skips loudly where PostgreSQL or its driver is absent."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="isocenter-postgresql-"))
    prefix = _as_other_user(folder)
    try:
        yield PostgresqlServer(_start(programs, prefix, folder))
    finally:
        stop = [*prefix, programs / "pg_ctl", "stop", "-D", folder / "data", "-m", "immediate", "-w"]
        subprocess.run(stop, check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _migrated(postgresql_server: PostgresqlServer) -> str:
    """A database with our schema, to copy: migrating anew for each test would take seconds in all."""
    from isocenter.storage.database import open_database

    postgresql_server.execute("CREATE DATABASE migrated")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("ISOCENTER_DATABASE_URL", postgresql_server.url("migrated"))
        open_database(Home(Path(folder))).close()
    return "migrated"


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    yield from _database(postgresql_server, "template1")


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer, _migrated: str) -> Iterator[str]:
    """The URL of a database of this test's own, with our schema in it."""
    yield from _database(postgresql_server, _migrated)


@pytest.fixture(params=["sqlite", "postgresql"])
def records_home(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A fresh store, once with its records in SQLite and once in PostgreSQL."""
    if request.param == "postgresql":
        monkeypatch.setenv("ISOCENTER_DATABASE_URL", request.getfixturevalue("postgresql_url"))
    return home


def _database(server: PostgresqlServer, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path:
    pytest.importorskip("psycopg", reason=f"{LACKS}the PostgreSQL driver; make setup EXTRAS=postgresql")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.skip(f"{LACKS}PostgreSQL's server programs; on Debian: sudo apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


def _as_other_user(folder: Path) -> Sequence[str]:
    """How to start programs that refuse to run as root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip(f"{LACKS}setpriv, with which root starts PostgreSQL as another user")
    user = _unprivileged()
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _start(programs: Path, prefix: Sequence[str], folder: Path) -> int:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    login = ["--username=isocenter", "--auth=scram-sha-256", f"--pwfile={secret}"]
    settings = (
        f"listen_addresses=127.0.0.1 port={port} unix_socket_directories='' max_connections=60 fsync=off"
    )
    options = " ".join(f"-c {setting}" for setting in settings.split())
    commands = (
        [programs / "initdb", "-D", folder / "data", "--encoding=UTF8", "--no-sync", *login],
        [programs / "pg_ctl", "start", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options],
    )
    for command in commands:
        subprocess.run([*prefix, *command], check=True, capture_output=True, cwd=folder)
    return port
