"""Processes that die or hang, for real: killed by signals while they read."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from dicom_files import Xray

from isocenter.datasets.chunk import Chunk, open_tiles
from isocenter.datasets.decode_messages import FileToRead, WorkerSettings
from isocenter.datasets.decode_pool import DecodePool, open_pool
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.quarantine import Reason
from isocenter.errors import EnvironmentFaultError

KILLER = """
import os, signal
_open = os.open
def open_or_die(path, *rest, **named):
    if str(path).endswith("kills.dcm"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return _open(path, *rest, **named)
os.open = open_or_die
"""


@pytest.fixture
def files(tmp_path: Path) -> list[FileToRead]:
    names = [f"{number:02}.dcm" for number in range(12)]
    for name in names:
        Xray(name, patient=name).write(tmp_path / "source" / name)
    return [FileToRead(name, f"key {name}", "stamp") for name in names]


@pytest.fixture
def pool_of(tmp_path: Path) -> Callable[..., object]:
    def build(processes: int = 2, **settings: float) -> object:
        folder = tmp_path / "chunks"
        folder.mkdir()
        worker = WorkerSettings(tmp_path / "source", 16, Pseudonyms(b"k" * 32))
        return open_pool(worker, folder, processes, **settings)

    return build


def reasons(chunks: list[Chunk]) -> dict[str, str]:
    found = {record.source_key: record.reason for chunk in chunks for record in chunk.records}
    assert len(found) == sum(len(chunk.records) for chunk in chunks), "a file was read into two chunks"
    for chunk in chunks:
        assert len(open_tiles(chunk.tiles)) == sum(record.was_read for record in chunk.records)
    return found


def children() -> Iterator[psutil.Process]:
    for child in psutil.Process().children():
        try:
            command = child.cmdline()
        except psutil.NoSuchProcess:  # it has ended, perhaps not been waited for yet
            continue
        if any("decode_worker" in word for word in command):
            yield child


@pytest.mark.parametrize("position", [0, 5, 11])
def test_a_file_that_kills_its_reader_is_the_only_one_lost(
    tmp_path: Path,
    files: list[FileToRead],
    pool_of: Callable[..., DecodePool],
    monkeypatch: pytest.MonkeyPatch,
    position: int,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "source" / files[position].relative).rename(tmp_path / "source" / "kills.dcm")
    files[position] = FileToRead("kills.dcm", "key kills.dcm", "stamp")
    done: list[int] = []
    with pool_of(processes=1) as pool:  # type: ignore[attr-defined]
        found = reasons(list(pool.read(files, done.append)))
    assert found.pop("key kills.dcm") == Reason.CRASHED_READER
    assert len(found) == 11
    assert set(found.values()) == {""}
    assert done[-1] == 12


def test_processes_killed_from_outside_cost_no_file(
    files: list[FileToRead], pool_of: Callable[..., DecodePool]
) -> None:
    killed: list[int] = []

    def kill_three_times() -> None:
        deadline = time.monotonic() + 20
        while len(killed) < 3 and time.monotonic() < deadline:
            for child in children():
                if child.pid not in killed:
                    child.kill()
                    killed.append(child.pid)
                    break
            time.sleep(0.05)

    with pool_of() as pool:  # type: ignore[attr-defined]
        killer = threading.Thread(target=kill_three_times)
        killer.start()
        found = reasons(list(pool.read(files, lambda _: None)))
        killer.join()
    assert len(killed) >= 2
    assert found == {file.source_key: "" for file in files}


def test_a_reader_that_hangs_is_given_up(files: list[FileToRead], pool_of: Callable[..., DecodePool]) -> None:
    def stop_one() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for child in children():
                os.kill(child.pid, signal.SIGSTOP)
                return
            time.sleep(0.02)

    stopper = threading.Thread(target=stop_one)
    with pool_of(file_timeout_s=3.0) as pool:  # type: ignore[attr-defined]
        stopper.start()
        found = reasons(list(pool.read(files, lambda _: None)))
        stopper.join()
    assert sorted(set(found.values())) in (["", Reason.TIMED_OUT], [""])
    assert list(found.values()).count(Reason.TIMED_OUT) <= 1
    assert len(found) == 12


def test_no_process_is_left_behind(files: list[FileToRead], pool_of: Callable[..., DecodePool]) -> None:
    with pool_of() as pool:  # type: ignore[attr-defined]
        next(iter(pool.read(files, lambda _: None)))
        assert list(children())
    assert not list(children())


def test_readers_that_cannot_start_end_the_ingest(
    tmp_path: Path,
    files: list[FileToRead],
    pool_of: Callable[..., DecodePool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pool_of() as pool, pytest.raises(EnvironmentFaultError, match="die at once"):  # type: ignore[attr-defined]
        list(pool.read(files, lambda _: None))
