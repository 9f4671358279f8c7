"""The processes of one version: started, watched, started again, ended after their last request."""

import signal
import time
from collections.abc import Mapping
from typing import Any

from isocenter.backends.job_log import failure_reason
from isocenter.servers.local_files import EndpointFiles
from isocenter.servers.local_log import bound_log
from isocenter.servers.local_process import Process, kill_all, leader_of, start_process
from isocenter.servers.unix_http import ask_socket

SOCKET = "serve.sock"
_MOST_DEATHS = 3
"""Of a version that was never ready: then it won't be."""
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_OK = 200


class Group:
    """One version's serving program and its workers.

    Args:
        key: of the group; names its directory.
        spec: ``argv``, ``environment``, ``reference``, ``digest``, ``ready_s`` and ``stop_grace_s``.
        files: the endpoint's.
        environment: what the program inherits.
    """

    def __init__(
        self, key: str, spec: Mapping[str, Any], files: EndpointFiles, environment: Mapping[str, str]
    ) -> None:
        self.key, self.spec = key, spec
        self.is_ready = False
        self.was_ready = False
        self.restarts = 0
        self.leaves_since: float | None = None
        self._files, self._environment = files, environment
        self._mark = f"{files.mark()}:{key}"
        self._made = time.monotonic()
        self._next_start = 0.0
        self._down_since: float | None = None
        self._vain_starts = 0
        self._said = ""
        self._stops_since: float | None = None
        files.group(key).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process: Process | None = leader_of(self._mark)

    @property
    def state(self) -> str:
        """In a word."""
        if self.leaves_since is not None:
            return "draining"
        if self.is_ready:
            return "ready"
        return "failed" if self.problem() or self.is_given_up else "starting"

    @property
    def is_alive(self) -> bool:
        """Whether its leader runs."""
        return self._process is not None and self._process.is_alive()

    def problem(self) -> str | None:
        """Why it won't get ready; None while it may."""
        if self.was_ready:
            return None
        if self.restarts >= _MOST_DEATHS:
            what = "ends as often as it is started"
        elif time.monotonic() - self._made > self.spec["ready_s"]:
            what = f"is not ready after {self.spec['ready_s']:g} s"
        else:
            return None
        said = failure_reason(self._files.group_log(self.key)) or "It said nothing."
        return f"{self.spec['reference']} {what}. {said}"

    def trouble(self) -> str:
        """Why it does not answer though it did; empty where it answers, or was never ready or is to end."""
        if not self.was_ready or self.is_ready or self.is_stopping or self.leaves_since is not None:
            return ""
        reference = self.spec["reference"]
        if not self._vain_starts:
            return f"The processes of {reference} ended; they are being started again."
        return f"{reference} does not get ready again ({self._vain_starts} starts in vain). {self._said}"

    @property
    def is_given_up(self) -> bool:
        """Whether it was ready and most likely won't be again by itself; it is still tried now and then."""
        if not self.trouble():
            return False
        is_late = self._down_since is not None and time.monotonic() - self._down_since > self.spec["ready_s"]
        return self._vain_starts >= _MOST_DEATHS or is_late

    def watch(self) -> None:
        """Start it, or start it again; see whether it is ready."""
        if self._stops_since is not None or self.leaves_since is not None:
            return
        if not self.is_alive:
            self._start_again()
        elif not self.is_ready:
            answer = ask_socket(self._files.group(self.key), SOCKET, "/readyz")
            self.is_ready = answer is not None and answer[0] == _OK
            self.was_ready = self.was_ready or self.is_ready
            if self.is_ready:
                self._vain_starts, self._down_since = 0, None

    def stop(self) -> None:
        """Ask it to end after its last request; once is enough."""
        if self._stops_since is None:
            self._stops_since = time.monotonic()
            self.is_ready = False
            if self._process is not None:
                self._process.signal(signal.SIGTERM)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stops_since is not None

    def is_gone(self) -> bool:
        """Whether all of its processes have ended; those that don't are killed after the grace time."""
        if self._stops_since is None:
            return False
        late = time.monotonic() - self._stops_since > self.spec["stop_grace_s"]
        if self.is_alive and not late:
            return False
        kill_all(self._mark)
        return True

    def _start_again(self) -> None:
        if self._process is not None:
            self._process = None
            self._note_end()
            self.is_ready = False
            self.restarts += 1
            wait = min(_SHORTEST_WAIT_S * 2**self.restarts, _LONGEST_WAIT_S) if not self.was_ready else 0
            self._next_start = max(self._next_start, time.monotonic() + wait)
        if time.monotonic() < self._next_start or self.problem():
            return
        kill_all(self._mark)  # workers that outlived their leader
        self._next_start = time.monotonic() + _LONGEST_WAIT_S if self.was_ready and self.restarts > 1 else 0.0
        self._process = self._start()

    def _note_end(self) -> None:
        """Of a program that ended: from ready, or once more in vain."""
        self._down_since = self._down_since or time.monotonic()
        if not self.is_ready:
            self._vain_starts += 1
            self._said = failure_reason(self._files.group_log(self.key)) or "It said nothing."

    def _start(self) -> Process | None:
        directory, log = self._files.group(self.key), self._files.group_log(self.key)
        (directory / SOCKET).unlink(missing_ok=True)
        bound_log(log)
        environment = {**self._environment, **self.spec["environment"]}
        try:
            return start_process(self.spec["argv"], self._mark, environment, directory, log)
        except OSError as error:
            self.restarts += 1
            with log.open("a", encoding="utf-8") as stream:
                stream.write(f"The serving program can't be started: {error.strerror}.\n")
            self._note_end()
            return None
