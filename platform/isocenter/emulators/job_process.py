"""A container's program as processes of this machine.

The job's parent is the supervisor of the local backend, not the emulator: as in a cloud, a job goes on while
nobody answers at the service's address, and is found again when somebody does.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.backends.local_attempt import Attempt

_INHERITED = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "CUDA_VISIBLE_DEVICES",
)
_POLL_S = 0.01


@dataclass(frozen=True)
class Ending:
    """How a program ended.

    Args:
        exit_code: negative: killed by that signal; 127: it could not be started.
        stopped: it was told to.
        timed_out: it ran past its time limit.
        error: why it could not be started; empty when it was.
    """

    exit_code: int
    stopped: bool = False
    timed_out: bool = False
    error: str = ""


@dataclass(frozen=True)
class JobProcess:
    """One run of a program. All that is known of it lies in ``folder``: another object with that folder,
    in another process, sees the same.

    Args:
        command: program and arguments.
        environment: all that the program sees beside what every process needs (PATH, HOME, ...).
        folder: of this run alone; made by :meth:`start`. The program's working directory is ``work`` in it.
        log: file that standard output and error are appended to.
        max_runtime_s: after so many seconds it is stopped as by :meth:`terminate`; None for no limit.
        limit_grace_s: seconds between SIGTERM and SIGKILL when the time limit has come.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    max_runtime_s: float | None = None
    limit_grace_s: float = 30.0

    @property
    def is_started(self) -> bool:
        """Whether :meth:`start` was called, in whichever process."""
        return (self.folder / "job.json").is_file()

    def start(self) -> None:
        """Start the program, in a session of its own, and return at once."""
        work = self.folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        job = {
            "argv": list(self.command),
            "environment": {**inherited, "PYTHONUNBUFFERED": "1", **self.environment},
            "directory": str(work),
            "log": str(self.log),
            "max_runtime_s": self.max_runtime_s,
            "stop_grace_s": self.limit_grace_s,
        }
        (self.folder / "job.json").touch(mode=0o600)
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        Attempt(self.folder).start()

    def ending(self) -> Ending | None:
        """How the program ended; None while it has not, or before :meth:`start`."""
        attempt = Attempt(self.folder)
        # The order matters: the supervisor writes its result before it lets go of its lock.
        if not self.is_started or (attempt.is_supervised() and attempt.result() is None):
            return None
        result = attempt.result()
        if result is None:
            return Ending(-9, error="The job was killed from outside.")
        return Ending(
            int(result["exit_code"]),
            stopped=bool(result.get("stopped")),
            timed_out=bool(result.get("timed_out")),
            error=str(result.get("error", "")),
        )

    def poll(self) -> int | None:
        """The exit code; None while the program goes on."""
        ending = self.ending()
        return None if ending is None else ending.exit_code

    def terminate(self, grace_s: float) -> None:
        """SIGTERM to the program and its children, SIGKILL ``grace_s`` later; returns at once. Idempotent."""
        if self.is_started and self.poll() is None:
            # Read by the supervisor when the signal comes.
            (self.folder / "grace").write_text(str(grace_s))
            Attempt(self.folder).ask_to_stop()

    def wait(self, timeout_s: float | None = None) -> int:
        """The exit code, when the program has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"The program goes on after {timeout_s} s.")
            time.sleep(_POLL_S)
        return code
