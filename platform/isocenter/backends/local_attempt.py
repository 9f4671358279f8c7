"""One attempt of a local run: a directory whose lock says whether its supervisor lives.

The supervisor inherits the locked file descriptor and keeps it until it ends, however it ends. Unlike a
process number, a lock can't be mistaken for another process's after a crash or a reboot.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SUPERVISOR = Path(__file__).with_name("local_supervisor.py")
_START_LIMIT_S = 30.0
_POLL_S = 0.005


@dataclass(frozen=True)
class Attempt:
    """An attempt's directory: ``job.json``, ``lock``, ``log``, ``started.json`` and ``exit.json``."""

    directory: Path

    @property
    def log(self) -> Path:
        """Standard output and error of the job, in the order they were written."""
        return self.directory / "log"

    def is_supervised(self) -> bool:
        """Whether the supervisor lives."""
        try:
            descriptor = os.open(self.directory / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def result(self) -> Mapping[str, Any] | None:
        """What the supervisor wrote when the job ended; None when it has not."""
        return read_json(self.directory / "exit.json")

    def start(self) -> None:
        """Start the supervisor in a session of its own. It, not this process, owns the job."""
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with self.log.open("ab", buffering=0) as log:
                supervisor = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_SUPERVISOR), str(descriptor)],
                    cwd=self.directory,
                    env={},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[descriptor],
                    start_new_session=True,
                )
                supervisor.returncode = 0  # never waited for here, on purpose
        finally:
            os.close(descriptor)

    def ask_to_stop(self) -> None:
        """Tell the supervisor to stop the job; kill what is left of the job if the supervisor is gone."""
        deadline = time.monotonic() + _START_LIMIT_S
        while self.is_supervised() and self.result() is None and time.monotonic() < deadline:
            started = read_json(self.directory / "started.json")
            if started is not None:
                _signal(started["supervisor"], signal.SIGTERM)
                return
            time.sleep(_POLL_S)
        if self.result() is None:
            self.kill_remains()

    def kill_remains(self) -> None:
        """Kill processes of this attempt that outlived their supervisor."""
        started = read_json(self.directory / "started.json")
        if started is None or self.is_supervised():
            return
        for pid in _processes_of(self.directory.parent.parent.name, started["supervisor"]):
            _signal(pid, signal.SIGKILL)


def attempts_of(run_directory: Path) -> list[Attempt]:
    """The attempts of a run, oldest first."""
    folder = run_directory / "attempts"
    if not folder.is_dir():
        return []
    numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    return [Attempt(folder / str(number)) for number in numbers]


def new_attempt(run_directory: Path, job: Mapping[str, Any]) -> Attempt:
    """The run's next attempt, written but not started. The caller holds the run's lock.

    Not flushed to disk: an attempt that a power cut made unreadable counts as one that was killed.
    """
    number = max((int(attempt.directory.name) for attempt in attempts_of(run_directory)), default=0) + 1
    directory = run_directory / "attempts" / str(number)
    temporary = run_directory / "attempts" / f".tmp-{number}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    (temporary / "job.json").touch(mode=0o600)
    (temporary / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return Attempt(temporary.rename(directory))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file at ``path``, waiting for it; it is made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _processes_of(run: str, session: int) -> Iterator[int]:
    """Processes of the session that carry the run's id in their environment.

    The environment settles whose they are: the session's number may have been given away since.
    """
    mark = f"ISOCENTER_RUN_ID={run}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(path.name)) == session and mark in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name)
        except OSError:
            continue


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def read_json(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in the file; None if there is no such file, or it was never finished."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
