"""Processes of a local endpoint, found again by a word in their environment.

The process table is the record: there is no file of process numbers that could be missing after a kill
between starting a process and writing its number down, or name somebody else's process after a reboot.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.servers.local_log import open_log

_MARK = "ISOCENTER_ENDPOINT_PROCESS"
# What of the user's environment serving processes get to see: never tokens, passwords or database addresses.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH"),
    *("SSL_CERT_FILE", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"),
)
_STATE, _SESSION, _STARTED = 0, 3, 19
"""Fields of ``/proc/PID/stat`` behind the name (proc(5): 3, 6 and 22)."""


@dataclass(frozen=True)
class Process:
    """A process that can't be mistaken for another one with the same number.

    Args:
        pid: its number.
        started: its start in clock ticks since the machine's.
    """

    pid: int
    started: int

    def is_alive(self) -> bool:
        """Whether it runs; a zombie doesn't."""
        fields = _stat(self.pid)
        return bool(fields) and int(fields[_STARTED]) == self.started and fields[_STATE] != "Z"

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            # Looked at after the descriptor was opened: from then on the number can't change its owner.
            if self.is_alive():
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)


def inherited_environment() -> dict[str, str]:
    """What an endpoint's processes get of this one's environment."""
    found = {n: v for n, v in os.environ.items() if n in _INHERITED or n.startswith("LC_")}
    return {**found, "PYTHONUNBUFFERED": "1"}


def start_process(
    argv: Sequence[str],
    mark: str,
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
    *,
    descriptors: Sequence[int] = (),
) -> Process:
    """Start the leader of a new session whose processes carry ``mark``.

    Args:
        argv: program and arguments.
        mark: see :func:`processes_of`.
        environment: all of it.
        directory: where it works.
        log: its output is appended here.
        descriptors: what it inherits.

    Raises:
        OSError: it can't be started.
    """
    with open_log(log) as stream:
        child = subprocess.Popen(
            argv,
            env={**environment, _MARK: mark},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            pass_fds=descriptors,
            start_new_session=True,
        )
    child.returncode = 0  # reaped by number, with those that an earlier supervisor started
    fields = _stat(child.pid)
    return Process(child.pid, int(fields[_STARTED]) if fields else 0)


def leader_of(mark: str) -> Process | None:
    """The leader of the session whose processes carry ``mark``; None if it doesn't run."""
    return next((found for found, session in processes_of(mark) if session == found.pid), None)


def processes_of(mark: str) -> Iterator[tuple[Process, int]]:
    """Each running process that carries ``mark``, and its session."""
    wanted = f"{_MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            carries = wanted in (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        fields = _stat(int(path.name)) if carries else []
        if fields and fields[_STATE] != "Z":
            yield Process(int(path.name), int(fields[_STARTED])), int(fields[_SESSION])


def kill_all(mark: str) -> None:
    """Kill what carries ``mark``, also what outlived its leader."""
    for process, _ in processes_of(mark):
        process.signal(signal.SIGKILL)


def reap() -> None:
    """Collect children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
