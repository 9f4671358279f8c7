"""The spool of captured features, with real files and real processes."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from isocenter_serving.capture import Spool, SpoolBounds, adopt_orphans, enforce_bound


def records(folder: Path, part: str = "ready") -> list[dict[str, Any]]:
    lines = [line for path in sorted((folder / part).glob("*")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_records_are_ready_after_close(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for number in range(50):
        spool.add({"number": number})
    spool.close()
    assert [each["number"] for each in records(tmp_path / "spool")] == list(range(50))
    assert not list((tmp_path / "spool" / "open").iterdir())


def test_a_full_segment_becomes_ready_while_the_process_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path, SpoolBounds(segment_bytes=100))
    spool.add({"text": "x" * 200})
    deadline = time.monotonic() + 20
    while not records(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(records(tmp_path)) == 1
    spool.close()


def _add_and_wait(folder: Path) -> None:
    spool = Spool(folder)
    for number in range(20):
        spool.add({"number": number})
    time.sleep(600)


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    process = multiprocessing.Process(target=_add_and_wait, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 20
    while len(_complete_lines(tmp_path)) < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    adopt_orphans(tmp_path)
    assert not records(tmp_path), "the segment of a living process was taken"
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (left,) = (tmp_path / "open").iterdir()
    with left.open("ab") as stream:
        stream.write(b'{"number": 20, "half')
    second = Spool(tmp_path)
    second.add({"number": 99})
    second.close()
    assert sorted(each["number"] for each in records(tmp_path)) == [*range(20), 99]


def _complete_lines(folder: Path) -> list[bytes]:
    return [line for path in (folder / "open").glob("*") for line in path.read_bytes().splitlines()]


def test_the_oldest_go_when_nobody_collects(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    for number in range(5):
        (ready / f"0{number}.jsonl").write_bytes(b"x" * 100)
    assert enforce_bound(tmp_path, 250) == 3
    assert sorted(path.name for path in ready.iterdir()) == ["03.jsonl", "04.jsonl"]


def test_the_spool_stays_within_its_bound(tmp_path: Path) -> None:
    for _ in range(6):
        spool = Spool(tmp_path, SpoolBounds(total_bytes=1000))
        for _ in range(4):
            spool.add({"text": "x" * 90})
        spool.close()
    assert 0 < sum(path.stat().st_size for path in (tmp_path / "ready").iterdir()) <= 1000


def test_a_folder_that_went_away_drops_and_counts(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    spool.add({"number": 1})
    spool.close()
    assert spool.dropped == 1


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.add({})
    spool.close()
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "spool").rglob("*")}
    assert modes == {0}


@pytest.mark.parametrize("damage", [b"", b"{", b"\n", b'{"a": 1}\n{"b"'])
def test_any_left_over_segment_becomes_whole_lines(tmp_path: Path, damage: bytes) -> None:
    Spool(tmp_path)
    (tmp_path / "open" / "a.jsonl").write_bytes(damage)
    adopt_orphans(tmp_path)
    kept = (tmp_path / "ready" / "a.jsonl").read_bytes()
    assert damage.startswith(kept)
    assert kept in (b"", b"\n", b'{"a": 1}\n')
