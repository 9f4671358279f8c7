"""Opening the records database, on SQLite and on a real PostgreSQL."""

import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from fixtures_postgresql import PASSWORD, PostgresqlServer
from sqlalchemy import insert, select, text

from isocenter.errors import EnvironmentFaultError, IntegrityError
from isocenter.home import Home
from isocenter.storage import engine as engine_module
from isocenter.storage import schema
from isocenter.storage.database import after_commit, open_database, schema_revision
from isocenter.storage.migration import MIGRATIONS

OPEN = (
    "from isocenter.home import open_home\n"
    "from isocenter.storage.database import open_database\n"
    "database = open_database(open_home())\n"
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def start_python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_migrations_make_exactly_the_tables_of_the_code(records_home: Home) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = open_database(records_home)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []


def test_the_code_names_the_newest_migration(home: Home) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.SCHEMA_REVISION


def test_alembic_is_not_imported_when_the_schema_is_up_to_date(home: Home) -> None:
    open_database(home).close()
    done = run_python(
        OPEN + "import sys; print(sorted({'alembic', 'pydantic', 'fsspec'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_open_a_fresh_store_at_once_do_not_collide(
    kind: str, home: Home, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgresql":
        monkeypatch.setenv("ISOCENTER_DATABASE_URL", request.getfixturevalue("empty_postgresql_url"))
    started = [start_python(OPEN + "print(database.engine.dialect.name)") for _ in range(4)]
    ended = [(process.communicate(), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0, 0, 0], ended
    assert schema_revision(open_database(home)) == schema.SCHEMA_REVISION


def test_a_kill_in_the_middle_of_a_migration_leaves_nothing_half_made(home: Home) -> None:
    done = run_python(
        "import os, signal\nfrom alembic.operations import Operations\n"
        "Operations.execute = lambda *args, **kw: os.kill(os.getpid(), signal.SIGKILL)\n" + OPEN
    )
    assert done.returncode == -signal.SIGKILL
    with sqlite3.connect(home.root / "records.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    assert schema_revision(open_database(home)) == schema.SCHEMA_REVISION


def test_a_database_of_a_newer_isocenter_is_refused(records_home: Home) -> None:
    database = open_database(records_home)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(EnvironmentFaultError, match=r"newer Isocenter.*9999"):
        open_database(records_home)


def test_a_file_that_is_no_database_is_named_as_such(home: Home) -> None:
    (home.root / "records.db").write_bytes(b"this is no database" * 200)
    with pytest.raises(IntegrityError, match="not an SQLite file or is damaged"):
        open_database(home)


def test_a_damaged_database_is_named_as_such(home: Home) -> None:
    open_database(home).close()
    file = home.root / "records.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"), open_database(home).read() as connection:
        connection.execute(select(schema.runs)).all()


def test_a_read_only_database_is_named_as_such(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(home).close()
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", f"sqlite:///file:{home.root}/records.db?mode=ro&uri=true")
    database = open_database(home)
    with pytest.raises(EnvironmentFaultError, match="can't be written"), database.write() as connection:
        connection.execute(insert(schema.models).values(name="cxr", created_at=datetime.now(UTC)))


def test_a_directory_that_is_not_there_is_named_as_such(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", f"sqlite:///{home.root}/absent/records.db")
    with pytest.raises(EnvironmentFaultError, match="can't be opened"):
        open_database(home)


def test_a_lock_that_another_process_keeps_ends_in_a_clear_error(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(home).close()
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0.2)
    database = open_database(home)
    other = sqlite3.connect(home.root / "records.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EnvironmentFaultError, match="locked"), database.write():
        pass
    other.execute("ROLLBACK")
    with database.write():
        pass


def test_sqlite_flushes_each_commit_and_lets_readers_read_on(home: Home) -> None:
    database = open_database(home)
    with database.write() as connection, database.read() as reader:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert reader.execute(select(schema.models)).all() == []


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("mysql://somewhere/x", "can't be kept in 'mysql'"),
        ("sqlite://", "need an SQLite file"),
        ("sqlite:///:memory:", "need an SQLite file"),
        ("not a url", "can't be parsed"),
    ],
)
def test_addresses_that_can_not_be_used_are_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", address)
    with pytest.raises(EnvironmentFaultError, match=says):
        open_database(home)


def test_a_server_that_is_not_there_is_named_without_the_password(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", f"postgresql://someone:{PASSWORD}@127.0.0.1:1/records")
    with pytest.raises(EnvironmentFaultError, match=r"'records' at 127.0.0.1:1") as caught:
        open_database(home)
    assert PASSWORD not in caught.value.message + caught.value.hint


def test_a_wrong_password_is_not_printed(
    home: Home, postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = postgresql_server.url("postgres", password="CANARY-wrong")
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", wrong)
    with pytest.raises(EnvironmentFaultError, match="password authentication failed") as caught:
        open_database(home)
    assert "CANARY" not in caught.value.message + caught.value.hint


def test_an_error_inside_a_transaction_takes_it_back_and_calls_nothing(records_home: Home) -> None:
    database, called = open_database(records_home), []
    row = {"name": "cxr", "created_at": datetime.now(UTC)}
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(insert(schema.models).values(row))
        after_commit(connection, lambda: called.append("first"))
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute(select(schema.models)).all() == []
    with database.write() as connection:
        after_commit(connection, lambda: called.append("second"))
        assert called == []
    assert called == ["second"]


def test_moments_come_back_in_utc(records_home: Home) -> None:
    database = open_database(records_home)
    there = datetime(2026, 11, 20, 14, 30, 0, 123456, timezone(timedelta(hours=2)))
    with database.write() as connection:
        connection.execute(insert(schema.models).values(name="cxr", created_at=there))
    with database.read() as connection:
        found = connection.execute(select(schema.models.c.created_at)).scalar_one()
    assert found == there and found.tzinfo == UTC


def test_a_moment_without_a_zone_is_a_defect(records_home: Home) -> None:
    database = open_database(records_home)
    naive = datetime(2026, 11, 20)
    with pytest.raises(Exception, match="without a time zone"), database.write() as connection:
        connection.execute(insert(schema.models).values(name="cxr", created_at=naive))
