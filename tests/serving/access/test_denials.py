"""What is kept of those who weren't let in."""

import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from isocenter_serving.access import Denied
from isocenter_serving.access import denials as module
from isocenter_serving.access.denials import DenialLog


def test_a_denial_is_one_line_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    log = DenialLog(tmp_path / "spool")
    assert log.record(Denied(403, "insufficient-scope", subject="pacs-router"), "01J")
    (line,) = (tmp_path / "spool" / "denials.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found.pop("at").endswith("+00:00")
    assert found == {
        "reason": "insufficient-scope",
        "status": 403,
        "subject": "pacs-router",
        "request": "01J",
    }
    assert stat.S_IMODE((tmp_path / "spool" / "denials.jsonl").stat().st_mode) == 0o600


def _record_many(folder: Path) -> None:
    log = DenialLog(folder)
    for number in range(100):
        log.record(Denied(401, "expired"), str(number))


def test_processes_that_write_at_once_tear_no_line(tmp_path: Path) -> None:
    processes = [multiprocessing.Process(target=_record_many, args=(tmp_path,)) for _ in range(4)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    lines = (tmp_path / "denials.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 400


def test_a_flood_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    log = DenialLog(tmp_path)
    kept = [log.record(Denied(401, "expired"), str(number)) for number in range(100)]
    assert not all(kept)
    assert (tmp_path / "denials.jsonl").stat().st_size < 1500
