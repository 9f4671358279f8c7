"""Denials of serving programs in the audit trail, each once."""

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from isocenter.audit import AuditTrail
from isocenter.collection import collect
from isocenter.collection import denials as module
from isocenter.home import Home, open_home
from isocenter.storage.database import open_database
from isocenter.targets.target import LOCAL
from isocenter_serving.access import Denied
from isocenter_serving.access.denials import DenialLog


def audited(home: Home) -> list[dict[str, Any]]:
    trail = AuditTrail(home, open_database(home))
    assert trail.verify().ok
    records = trail.list(10_000, action=module.ACTION, object_="endpoint:chest")
    assert {record.outcome for record in records} <= {"denied"}
    return [{**record.as_json()["details"], "actor": record.actor} for record in reversed(records)]


def deny(folder: Path, first: int, count: int, subject: str = "") -> None:
    log = DenialLog(folder / "denials")
    for number in range(first, first + count):
        log.record(Denied(401, "expired", subject=subject), f"r{number}")


def test_each_is_audited_once_with_who_why_and_when(home: Home, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    deny(one, 0, 2)
    DenialLog(two / "denials").record(Denied(403, "insufficient-scope", subject="viewer"), "r2")
    assert collect(home, LOCAL, "chest", [one, two, tmp_path / "none"]).denials == 3
    assert collect(home, LOCAL, "chest", [one, two]).denials == 0
    found = audited(home)
    assert [(each["request"], each["reason"], each["status"], each["actor"]) for each in found] == [
        ("r0", "expired", 401, "anonymous"),
        ("r1", "expired", 401, "anonymous"),
        ("r2", "insufficient-scope", 403, "viewer"),
    ]
    assert all(each["at"].startswith("20") for each in found)
    assert not list(tmp_path.rglob("taken-*"))
    deny(one, 3, 1)
    assert collect(home, LOCAL, "chest", [one]).denials == 1


def _write_slowly(folder: Path) -> None:
    for number in range(400):
        deny(folder, number, 1)


def test_none_is_lost_that_is_written_meanwhile(home: Home, tmp_path: Path) -> None:
    writer = multiprocessing.Process(target=_write_slowly, args=(tmp_path,))
    writer.start()
    count = 0
    while writer.is_alive():
        count += collect(home, LOCAL, "chest", [tmp_path]).denials
    writer.join()
    count += collect(home, LOCAL, "chest", [tmp_path]).denials
    assert count == 400
    assert sorted(each["request"] for each in audited(home)) == sorted(f"r{number}" for number in range(400))


def _collect(root: Path, folder: Path) -> None:
    collect(open_home(root), LOCAL, "chest", [folder])


def test_a_collection_that_is_killed_goes_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 5)
    AuditTrail(home, open_database(home)).verify()
    deny(tmp_path, 0, 200)
    kills = 0
    for attempt in range(60):
        child = multiprocessing.get_context("fork").Process(target=_collect, args=(home.root, tmp_path))
        child.start()
        child.join(0.05 + 0.02 * attempt)
        if child.is_alive():
            assert child.pid
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            kills += 1
        elif not list(tmp_path.rglob("*.jsonl")):
            break
    else:
        collect(home, LOCAL, "chest", [tmp_path])
    assert kills
    assert Counter(each["request"] for each in audited(home)) == {f"r{number}": 1 for number in range(200)}


def test_a_flood_is_told_by_its_number(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SINGLY", 10)
    deny(tmp_path, 0, 25)
    assert collect(home, LOCAL, "chest", [tmp_path]).denials == 25
    *singly, rest = audited(home)
    assert len(singly) == 10
    assert (rest["others"], rest["reasons"]) == (15, {"expired": 15})


def test_what_a_program_wrote_is_not_believed(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "denials"
    folder.mkdir()
    odd = {"reason": "CANARY of a patient", "status": "x", "subject": "a\nb", "request": {"CANARY": 1}}
    lines = [json.dumps(odd), '{"half', "[]", "x" * 100_000, json.dumps({"subject": "s" * 500}), ""]
    (folder / "denials.jsonl").write_text("\n".join(lines) + "\n")
    assert collect(home, LOCAL, "chest", [tmp_path]).denials == 6
    found = audited(home)
    assert "CANARY" not in json.dumps(found)
    assert {each["reason"] for each in found} == {"unreadable"}
    assert [len(each["actor"]) for each in found] == [9, 9, 9, 9, 128, 9]


def test_a_writer_that_waits_for_the_lock_writes_into_the_new_file(home: Home, tmp_path: Path) -> None:
    """The file is set aside between a writer's open and its write."""
    import fcntl
    import threading

    deny(tmp_path, 0, 1)
    path = tmp_path / "denials" / "denials.jsonl"
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=deny, args=(tmp_path, 1, 1))
        writer.start()
        time.sleep(0.2)
        path.rename(path.with_name("taken-0.jsonl"))
    writer.join()
    assert collect(home, LOCAL, "chest", [tmp_path]).denials == 2
    assert {each["request"] for each in audited(home)} == {"r0", "r1"}
