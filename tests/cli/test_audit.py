"""`isocenter audit` as a user types it."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.audit import AuditTrail
from isocenter.domain.audit_event import AuditEvent
from isocenter.home import Home
from isocenter.storage.database import open_database

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trail(home: Home) -> AuditTrail:
    trail = AuditTrail(home, open_database(home))
    for number in range(1, 6):
        trail.append(AuditEvent("alice", "step.done", f"step:{number}", details={"number": number}))
    return trail


def tamper(home: Home, statement: str) -> None:
    with sqlite3.connect(home.root / "records.db") as connection:
        connection.execute(statement)
    connection.close()


def test_an_empty_trail_is_whole(home: Home, isocenter_cli: Cli) -> None:
    done = isocenter_cli("audit", "verify")
    assert (done.returncode, "whole: 0 records" in done.stdout) == (0, True)
    assert json.loads(isocenter_cli("audit", "list", "--json").stdout) == []
    assert "No audit records" in isocenter_cli("audit", "list").stdout


def test_list_filters(trail: AuditTrail, isocenter_cli: Cli) -> None:
    listed = json.loads(isocenter_cli("audit", "list", "--limit", 2, "--json").stdout)
    assert [record["sequence"] for record in listed] == [5, 4]
    listed = json.loads(isocenter_cli("audit", "list", "--object", "step:3", "--json").stdout)
    assert [record["details"] for record in listed] == [{"number": 3}]
    assert "step.done" in isocenter_cli("audit", "list").stdout


def test_verify_is_quiet_about_a_whole_trail(trail: AuditTrail, isocenter_cli: Cli) -> None:
    done = isocenter_cli("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "whole: 5 records, 5 signed heads" in done.stdout
    assert json.loads(isocenter_cli("audit", "verify", "--json").stdout)["ok"] is True


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("UPDATE audit_records SET actor = 'mallory' WHERE sequence = 2", 2),
        ("DELETE FROM audit_records WHERE sequence = 3", 3),
        ("DELETE FROM audit_records WHERE sequence > 3", 4),
    ],
)
def test_verify_names_the_first_bad_record(
    trail: AuditTrail, home: Home, isocenter_cli: Cli, statement: str, first: int
) -> None:
    tamper(home, statement)
    done = isocenter_cli("audit", "verify")
    assert done.returncode == 6
    assert f"The first bad record is {first}." in done.stdout
    as_json = isocenter_cli("audit", "verify", "--json")
    found = json.loads(as_json.stdout)
    assert (as_json.returncode, found["ok"], found["first_bad"]) == (6, False, first)
    assert found["problems"][0]["sequence"] == first


def test_an_export_proves_a_later_trail(trail: AuditTrail, isocenter_cli: Cli, tmp_path: Path) -> None:
    done = isocenter_cli("audit", "export", "--out", tmp_path / "kept", "--json")
    assert json.loads(done.stdout)["records"] == 5
    trail.append(AuditEvent("alice", "step.done", "step:6"))
    files = ("--heads", tmp_path / "kept" / "heads.jsonl", "--public-key", tmp_path / "kept" / "signing.pub")
    assert isocenter_cli("audit", "verify", *files).returncode == 0
    alone = isocenter_cli("audit", "verify", "--export", tmp_path / "kept", "--json")
    assert json.loads(alone.stdout)["records"] == 5
    assert isocenter_cli("audit", "verify", "--export", tmp_path / "kept", *files[:2]).returncode == 2
    assert isocenter_cli("audit", "verify", "--export", tmp_path / "absent").returncode == 3


def test_files_that_can_not_be_used_are_bad_input(
    trail: AuditTrail, isocenter_cli: Cli, tmp_path: Path
) -> None:
    assert isocenter_cli("audit", "verify", "--heads", tmp_path / "absent").returncode == 3
    assert isocenter_cli("audit", "verify", "--public-key", tmp_path / "absent").returncode == 3
    (tmp_path / "file").write_text("")
    done = isocenter_cli("audit", "export", "--out", tmp_path / "file" / "below")
    assert (done.returncode, "can't be written" in done.stderr) == (3, True)
