"""What an attacker does to the database by SQL, and what verification says of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from isocenter.audit import AuditTrail, Fault
from isocenter.audit.head_file import append_head, read_heads
from isocenter.audit.merkle import CompactRange, leaf_hash
from isocenter.audit.record import FIRST_PREVIOUS_HASH, AuditRecord, chain
from isocenter.audit.signed_head import SignedHead, sign_head
from isocenter.audit.signing_key import SigningKey, load_signing_key
from isocenter.audit.stored_head import heads_file
from isocenter.audit.verification import verify_export
from isocenter.domain.audit_event import AuditEvent
from isocenter.errors import InputError
from isocenter.home import Home
from isocenter.storage import schema
from isocenter.storage.database import Database, open_database

ALL = 10


def execute(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rewrite(
    database: Database,
    change: Callable[[list[AuditEvent]], list[AuditEvent]],
    key: SigningKey | None = None,
) -> SignedHead:
    """Rewrite the whole chain as somebody does who knows how it is made; with ``key`` if they have one."""
    with database.write() as connection:
        table = schema.audit_records
        old = [AuditRecord(**row._asdict()) for row in connection.execute(select(table).order_by("sequence"))]
        events = [AuditEvent(r.actor, r.action, r.object, details=r.as_json()["details"]) for r in old]
        connection.execute(table.delete())
        tree, previous = CompactRange(), FIRST_PREVIOUS_HASH
        for number, event in enumerate(change(events), 1):
            record = chain(event, number, previous)
            at = old[number - 1].at if number <= len(old) else record.at
            record = replace(record, at=at)
            record = replace(record, hash=record.computed_hash())
            connection.execute(table.insert().values(record.__dict__))
            tree, previous = tree.append(leaf_hash(record.canonical())), record.hash
        forger = key or SigningKey(b"\x07" * 32)
        head = sign_head(forger, tree.size, tree.root().hex(), previous, "2026-11-20T00:00:00.000000Z")
        connection.execute(
            schema.audit_head.update().values(
                **head.__dict__, compact_range=" ".join(item.hex() for item in tree.hashes)
            )
        )
    return head


def lie(at: int) -> Callable[[list[AuditEvent]], list[AuditEvent]]:
    def change(events: list[AuditEvent]) -> list[AuditEvent]:
        return [replace(event, actor="mallory") if n == at else event for n, event in enumerate(events, 1)]

    return change


def test_a_trail_that_nobody_touched_is_whole(ten_records: AuditTrail) -> None:
    result = ten_records.verify()
    assert result.ok and result.first_bad is None
    assert (result.records, result.heads, result.warnings) == (ALL, ALL, ())


@pytest.mark.parametrize(
    "edit",
    [
        "actor = 'mallory'",
        "at = '2020-01-01T00:00:00.000000Z'",
        "action = 'step.undone'",
        "object = 'step:other'",
        "outcome = 'failure'",
        "details = '{\"number\":5}'",
        "details = '{\"number\": 4}'",
        "details = 'no json'",
        "hash = previous_hash",
        "previous_hash = hash",
    ],
)
def test_an_edit_of_any_field_is_found_where_it_is(
    ten_records: AuditTrail, database: Database, edit: str
) -> None:
    execute(database, f"UPDATE audit_records SET {edit} WHERE sequence = 4")
    result = ten_records.verify()
    assert result.first_bad == 4
    assert [problem.fault for problem in result.problems] == [Fault.EDITED]


@pytest.mark.parametrize("removed", [1, 4, ALL])
def test_a_removed_record_is_named(ten_records: AuditTrail, database: Database, removed: int) -> None:
    execute(database, f"DELETE FROM audit_records WHERE sequence = {removed}")
    result = ten_records.verify()
    assert result.first_bad == removed
    assert [problem.fault for problem in result.problems] == [Fault.MISSING]


def test_a_removal_that_is_closed_up_is_found(ten_records: AuditTrail, database: Database) -> None:
    execute(database, "DELETE FROM audit_records WHERE sequence = 4")
    for sequence in range(5, ALL + 1):
        execute(database, f"UPDATE audit_records SET sequence = {sequence - 1} WHERE sequence = {sequence}")
    assert ten_records.verify().first_bad == 4


def test_two_records_that_were_swapped_are_found_at_the_first(
    ten_records: AuditTrail, database: Database
) -> None:
    execute(
        database,
        "UPDATE audit_records SET sequence = 99 WHERE sequence = 3",
        "UPDATE audit_records SET sequence = 3 WHERE sequence = 7",
        "UPDATE audit_records SET sequence = 7 WHERE sequence = 99",
    )
    assert ten_records.verify().first_bad == 3


@pytest.mark.parametrize("kept", [0, 1, 7, 9])
def test_a_cut_end_is_found(ten_records: AuditTrail, database: Database, kept: int) -> None:
    execute(database, f"DELETE FROM audit_records WHERE sequence > {kept}")
    result = ten_records.verify()
    assert (result.first_bad, result.records) == (kept + 1, kept)
    assert result.problems[0].fault is Fault.MISSING


def insert_after(database: Database, sequence: int) -> None:
    with database.write() as connection:
        table = schema.audit_records.c
        last = connection.execute(select(table.hash).where(table.sequence == sequence)).scalar_one()
        record = chain(AuditEvent("mallory", "model.promote", "model:cxr:9"), sequence + 1, last)
        connection.execute(schema.audit_records.insert().values(record.__dict__))


def test_a_record_that_was_added_at_the_end_is_found(ten_records: AuditTrail, database: Database) -> None:
    insert_after(database, ALL)
    result = ten_records.verify()
    assert result.first_bad == ALL + 1
    assert [problem.fault for problem in result.problems] == [Fault.UNSIGNED]


def test_a_record_that_was_put_in_the_middle_is_found(ten_records: AuditTrail, database: Database) -> None:
    for sequence in range(ALL, 4, -1):
        execute(database, f"UPDATE audit_records SET sequence = {sequence + 1} WHERE sequence = {sequence}")
    insert_after(database, 4)
    result = ten_records.verify()
    assert result.first_bad == 5


def test_a_record_before_the_first_is_found(ten_records: AuditTrail, database: Database) -> None:
    with database.write() as connection:
        record = chain(AuditEvent("mallory", "model.promote", "model:cxr:9"), 0, FIRST_PREVIOUS_HASH)
        connection.execute(schema.audit_records.insert().values(record.__dict__))
    assert not ten_records.verify().ok


def _rehash(database: Database, sequence: int) -> None:
    with database.write() as connection:
        table = schema.audit_records
        row = connection.execute(select(table).where(table.c.sequence == sequence)).one()
        record = replace(AuditRecord(**row._asdict()), actor="mallory")
        values = {"actor": "mallory", "hash": record.computed_hash()}
        connection.execute(table.update().where(table.c.sequence == sequence).values(values))


@pytest.mark.parametrize("sequence", [1, 4, ALL])
def test_an_edit_with_a_new_hash_is_found_at_the_record(
    ten_records: AuditTrail, database: Database, sequence: int
) -> None:
    _rehash(database, sequence)
    result = ten_records.verify()
    assert result.first_bad == sequence
    assert result.problems[0].fault is Fault.REWRITTEN


def test_without_the_file_of_heads_the_chain_still_names_it(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    heads_file(records_home).unlink()
    _rehash(database, 4)
    result = ten_records.verify()
    assert result.first_bad == 4
    assert "record 5 was chained to" in result.problems[0].message


def test_whoever_rewrites_all_without_the_key_is_found_at_the_first_lie(
    ten_records: AuditTrail, database: Database
) -> None:
    rewrite(database, lie(at=6))
    result = ten_records.verify()
    assert result.first_bad == 6
    assert {problem.fault for problem in result.problems} == {Fault.REWRITTEN, Fault.SIGNATURE}


def test_without_the_file_of_heads_the_forged_signature_is_found(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    heads_file(records_home).unlink()
    rewrite(database, lie(at=6))
    result = ten_records.verify()
    assert not result.ok and result.first_bad is None
    assert [problem.fault for problem in result.problems] == [Fault.SIGNATURE]


def test_an_old_head_put_back_over_a_cut_trail_is_found(
    ten_records: AuditTrail, records_home: Home, database: Database
) -> None:
    old = read_heads(heads_file(records_home))[0][6]
    head = rewrite(database, lambda events: events[:7])
    assert (head.root_hash, head.tree_size) == (old.root_hash, 7)
    signed = f"signature = '{old.signature}', at = '{old.at}', key_id = '{old.key_id}'"
    execute(database, f"UPDATE audit_head SET {signed}")
    result = ten_records.verify()
    assert result.first_bad == 8
    assert [problem.fault for problem in result.problems] == [Fault.MISSING]


def test_the_stored_tree_must_agree_with_the_head(ten_records: AuditTrail, database: Database) -> None:
    execute(database, f"UPDATE audit_head SET compact_range = '{'ab' * 32} {'cd' * 32}'")
    result = ten_records.verify()
    assert [problem.fault for problem in result.problems] == [Fault.HEAD]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_head",
        "UPDATE audit_head SET tree_size = 0, compact_range = '', signature = ''",
        "UPDATE audit_head SET signature = 'xyz'",
    ],
)
def test_a_head_that_was_removed_or_reset_is_found(
    ten_records: AuditTrail, database: Database, statement: str
) -> None:
    execute(database, statement)
    assert not ten_records.verify().ok


@pytest.fixture
def exported(ten_records: AuditTrail, tmp_path: Path) -> Path:
    assert ten_records.export(tmp_path / "export") == ALL
    return tmp_path / "export"


def test_an_export_holds_what_an_auditor_needs(exported: Path, ten_records: AuditTrail) -> None:
    assert sorted(file.name for file in exported.iterdir()) == ["heads.jsonl", "records.jsonl", "signing.pub"]
    assert len((exported / "records.jsonl").read_text().splitlines()) == ALL
    for number in range(3):
        ten_records.append(AuditEvent("alice", "step.done", f"later:{number}"))
    assert ten_records.verify(exported / "heads.jsonl", exported / "signing.pub").ok


def test_an_export_can_be_checked_without_its_store(exported: Path) -> None:
    result = verify_export(exported)
    assert result.ok and (result.records, result.heads) == (ALL, ALL)


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        ('"actor":"alice"', '"actor":"mallory"', 1),
        ('"number":4', '"number":5', 4),
        ('{"action"', "no json", 1),
        ('"details":{"number":7}', '"details":7', 7),
    ],
)
def test_an_export_that_was_edited_is_found(exported: Path, old: str, new: str, first: int) -> None:
    file = exported / "records.jsonl"
    file.write_text(file.read_text().replace(old, new))
    assert verify_export(exported).first_bad == first


def test_an_export_that_was_cut_or_signed_by_another_is_found(exported: Path, tmp_path: Path) -> None:
    file = exported / "records.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:6]))
    assert verify_export(exported).first_bad == 7
    other = tmp_path / "other.pub"
    other.write_bytes(SigningKey(b"\x07" * 32).public.pem())
    assert Fault.SIGNATURE in {problem.fault for problem in verify_export(exported, other).problems}
    file.unlink()
    with pytest.raises(InputError, match="records"):
        verify_export(exported)


def test_whoever_has_the_key_and_rewrites_all_is_found_by_the_export(
    ten_records: AuditTrail, records_home: Home, database: Database, exported: Path
) -> None:
    key = load_signing_key(records_home, create=False)
    head = rewrite(database, lie(at=6), key)
    heads_file(records_home).unlink()
    append_head(heads_file(records_home), head)
    assert ten_records.verify().ok
    result = ten_records.verify(exported / "heads.jsonl", exported / "signing.pub")
    assert result.first_bad == 6
    assert [problem.fault for problem in result.problems] == [Fault.REWRITTEN]


def test_whoever_has_the_key_and_cuts_the_end_is_found_by_the_export(
    ten_records: AuditTrail, records_home: Home, database: Database, exported: Path
) -> None:
    head = rewrite(database, lambda events: events[:4], load_signing_key(records_home, create=False))
    heads_file(records_home).unlink()
    append_head(heads_file(records_home), head)
    result = ten_records.verify(exported / "heads.jsonl", exported / "signing.pub")
    assert result.first_bad == 5


def test_a_new_key_in_place_of_the_old_is_found_by_the_exported_one(
    ten_records: AuditTrail, records_home: Home, database: Database, exported: Path
) -> None:
    for file in (records_home.audit / "signing.key", records_home.audit / "signing.pub"):
        file.unlink()
    heads_file(records_home).unlink()
    rewrite(database, lie(at=6), load_signing_key(records_home, create=True))
    assert ten_records.verify().ok
    result = ten_records.verify(exported / "heads.jsonl", exported / "signing.pub")
    assert result.first_bad == 6


def test_a_forged_head_in_the_file_is_found(ten_records: AuditTrail, records_home: Home) -> None:
    heads, _ = read_heads(heads_file(records_home))
    append_head(heads_file(records_home), replace(heads[3], root_hash="0" * 64))
    result = ten_records.verify()
    assert [problem.fault for problem in result.problems] == [Fault.SIGNATURE]


def test_a_line_cut_by_a_power_failure_is_a_warning(ten_records: AuditTrail, records_home: Home) -> None:
    with heads_file(records_home).open("ab") as stream:
        stream.write(b'{"tree_size": 11, "root')
    result = ten_records.verify()
    assert result.ok and len(result.warnings) == 1


def test_without_a_public_key_nothing_is_proven(ten_records: AuditTrail, records_home: Home) -> None:
    for file in (records_home.audit / "signing.key", records_home.audit / "signing.pub"):
        file.unlink()
    assert [problem.fault for problem in ten_records.verify().problems] == [Fault.SIGNATURE]


def test_files_that_are_not_there_are_bad_input(ten_records: AuditTrail, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        ten_records.verify(tmp_path / "absent")
    with pytest.raises(InputError, match="no Ed25519 public key"):
        ten_records.verify(None, tmp_path / "absent")


@pytest.mark.parametrize(
    "edit",
    [
        "details = CAST(X'ff00ff' AS TEXT)",
        "details = X'00ff'",
        "actor = 17",
        "details = '[' || replace(hex(zeroblob(20000)), '00', '[[')",
    ],
)
def test_garbage_that_only_sqlite_takes_does_not_crash_verification(home: Home, edit: str) -> None:
    database = open_database(home)
    trail = AuditTrail(home, database)
    for number in range(5):
        trail.append(AuditEvent("alice", "step.done", f"step:{number}"))
    execute(database, f"UPDATE audit_records SET {edit} WHERE sequence = 4")
    assert trail.verify().first_bad == 4
    trail.list()


def test_a_long_trail_is_verified_in_batches(home: Home) -> None:
    database = open_database(home)
    trail = AuditTrail(home, database)
    with database.write() as connection:
        for number in range(1010):
            trail.append(AuditEvent("alice", "step.done", f"step:{number}"), connection)
    result = trail.verify()
    assert result.ok and (result.records, result.heads) == (1010, 1010)
