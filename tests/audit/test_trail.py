"""Appending, on SQLite and PostgreSQL."""

import subprocess
import sys
from itertools import pairwise

import pytest
from sqlalchemy import select, text

from isocenter.audit import AuditTrail
from isocenter.audit.head_file import read_heads
from isocenter.audit.stored_head import heads_file, read_head
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.errors import EnvironmentFaultError, IntegrityError
from isocenter.home import Home
from isocenter.storage import schema
from isocenter.storage.database import Database, open_database

EVENT = AuditEvent("alice", "step.done", "step:x")


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def test_records_are_numbered_chained_and_listed_newest_first(ten_records: AuditTrail) -> None:
    records = ten_records.list()
    assert [record.sequence for record in records] == list(range(10, 0, -1))
    for newer, older in pairwise(records):
        assert newer.previous_hash == older.hash
    assert [record.sequence for record in ten_records.list(2)] == [10, 9]
    assert [record.sequence for record in ten_records.list(object_="step:3")] == [3]
    assert ten_records.list(action="step.undone") == ()


def test_each_append_leaves_a_signed_head_in_the_database_and_the_file(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    heads, unreadable = read_heads(heads_file(records_home))
    assert [head.tree_size for head in heads] == list(range(1, 11)) and unreadable == 0
    with database.read() as connection:
        assert read_head(connection).head == heads[-1]
    assert ten_records.sign_head() == heads[-1]
    assert len(read_heads(heads_file(records_home))[0]) == 10


def test_an_empty_trail_has_no_head_and_is_whole(trail: AuditTrail, records_home: Home) -> None:
    assert trail.sign_head() is None
    assert not heads_file(records_home).exists()
    assert trail.verify().ok


def test_a_head_that_the_file_missed_is_added_to_it(ten_records: AuditTrail, records_home: Home) -> None:
    heads_file(records_home).unlink()
    head = ten_records.sign_head()
    assert head is not None and read_heads(heads_file(records_home)) == ([head], 0)


def test_a_record_is_kept_with_the_action_or_not_at_all(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        assert ten_records.append(EVENT, connection) == 11
        raise ZeroDivisionError
    assert len(read_heads(heads_file(records_home))[0]) == 10
    with database.write() as connection:
        assert ten_records.append(EVENT, connection) == 11
        assert ten_records.append(EVENT, connection) == 12
    assert ten_records.verify().records == 12
    assert ten_records.verify().ok


APPEND = (
    "import sys\nfrom isocenter.home import open_home\nfrom isocenter.audit import AuditTrail\n"
    "from isocenter.domain.audit_event import AuditEvent\n"
    "from isocenter.storage.database import open_database\n"
    "home = open_home()\ntrail = AuditTrail(home, open_database(home))\n"
    "for number in range(10):\n"
    "    trail.append(AuditEvent(sys.argv[1], 'step.done', f'step:{number}'))\n"
)


def test_several_processes_append_to_one_chain_without_gaps(trail: AuditTrail, records_home: Home) -> None:
    started = [subprocess.Popen([sys.executable, "-c", APPEND, f"process-{n}"]) for n in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    records = trail.list(200)
    assert [record.sequence for record in records] == list(range(30, 0, -1))
    assert {record.actor for record in records} == {f"process-{n}" for n in range(3)}
    result = trail.verify()
    assert result.ok and (result.records, result.heads) == (30, 30)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit_head SET tree_size = 9",
        "UPDATE audit_head SET root_hash = repeat_('a', 64)",
        "UPDATE audit_head SET record_hash = repeat_('a', 64)",
        "UPDATE audit_head SET signature = repeat_('a', 128)",
        "UPDATE audit_head SET signature = 'no hexadecimal'",
        "UPDATE audit_head SET compact_range = 'zz'",
        "UPDATE audit_head SET compact_range = compact_range || ' 00'",
        "UPDATE audit_head SET tree_size = 0, compact_range = ''",
        "DELETE FROM audit_head",
    ],
)
def test_nothing_is_signed_on_top_of_a_head_that_is_not_ours(
    ten_records: AuditTrail, database: Database, forgery: str
) -> None:
    for length in (64, 128):
        forgery = forgery.replace(f"repeat_('a', {length})", f"'{'a' * length}'")
    execute(database, forgery)
    with pytest.raises(IntegrityError):
        ten_records.append(EVENT)
    with database.read() as connection:
        assert len(connection.execute(select(schema.audit_records.c.sequence)).all()) == 10
    assert not ten_records.verify().ok


def test_a_trail_that_was_wiped_is_not_begun_anew(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    execute(database, "DELETE FROM audit_records")
    execute(
        database,
        "UPDATE audit_head SET tree_size = 0, compact_range = '', root_hash = '', record_hash = '', at = '',"
        " key_id = '', signature = ''",
    )
    with pytest.raises(IntegrityError, match="empty, but signed heads exist"):
        AuditTrail(records_home, database).append(EVENT)
    result = ten_records.verify()
    assert (result.ok, result.first_bad) == (False, 1)


def test_without_its_key_a_trail_can_not_go_on(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    (records_home.audit / "signing.key").unlink()
    with pytest.raises(EnvironmentFaultError, match=r"signing\.key, is missing"):
        AuditTrail(records_home, database).append(EVENT)


def test_another_machine_needs_the_same_key(
    ten_records: AuditTrail,
    records_home: Home,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Home(tmp_path_factory.mktemp("other"))
    monkeypatch.setenv("ISOCENTER_DATABASE_URL", records_home.database_url)
    elsewhere = AuditTrail(other, open_database(other))
    with pytest.raises(EnvironmentFaultError, match="missing"):
        elsewhere.append(EVENT)
    monkeypatch.setenv("ISOCENTER_AUDIT_KEY_FILE", str(records_home.audit / "signing.key"))
    assert AuditTrail(other, open_database(other)).append(EVENT) == 11
    assert ten_records.verify().ok


def test_a_key_of_another_trail_is_refused(
    ten_records: AuditTrail, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from isocenter.audit.signing_key import load_signing_key

    other = Home(tmp_path_factory.mktemp("other"))
    load_signing_key(other, create=True)
    with pytest.raises(IntegrityError, match="another key"):
        AuditTrail(other, database).append(EVENT)


def test_what_was_refused_is_recorded_as_such(trail: AuditTrail) -> None:
    trail.append(AuditEvent("bob", "model.promote", "model:cxr:1", Outcome.DENIED, {"because": "no reason"}))
    (record,) = trail.list()
    assert (record.outcome, record.as_json()["details"]) == ("denied", {"because": "no reason"})
