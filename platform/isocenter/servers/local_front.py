"""The router as the supervisor sees it: a process at the endpoint's port, asked over its control socket."""

import json
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from isocenter.servers.local_files import EndpointFiles
from isocenter.servers.local_process import Process, kill_all, leader_of, start_process
from isocenter.servers.unix_http import ask_socket

_ADDRESS = "127.0.0.1"
_BACKLOG = 1024
_CONTROL = "router.sock"


class Front:
    """The router's process and the port that it answers at.

    Args:
        files: the endpoint's.
        environment: what it inherits.
    """

    def __init__(self, files: EndpointFiles, environment: Mapping[str, str]) -> None:
        self._files, self._environment = files, environment
        self._mark = f"{files.mark()}:router"
        self._listening: socket.socket | None = None
        self._process: Process | None = leader_of(self._mark)
        self.port = 0

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive()

    def watch(self, port: int, tls: Mapping[str, str] | None = None) -> None:
        """Start it at ``port`` (0: a free one), or start it again; with TLS by these files.

        Connections wait at the listening socket, which this process keeps, while it is started again.

        Raises:
            OSError: the port is taken.
        """
        if self.is_alive:
            self.port = self.port or port
            return
        kill_all(self._mark)
        listening = self._listen(port)
        listening.set_inheritable(True)
        self._process = start_process(
            [sys.executable, "-m", "isocenter.servers.router", str(listening.fileno()), *_words(tls)],
            self._mark,
            self._environment,
            self._files.directory,
            self._files.supervisor_log,
            descriptors=[listening.fileno()],
        )

    def load_routes(self) -> str | None:
        """Have it take up the file of routes; the rollout that it follows then, None if it can't be asked."""
        return _rollout(ask_socket(self._files.directory, _CONTROL, "/routes", method="POST"))

    def in_flight(self, key: str) -> int | None:
        """Requests under way at a version; None if it can't be asked."""
        state = ask_front(self._files)
        return None if state is None else int(state["in_flight"].get(key, 0))

    def stop(self) -> None:
        """No new connections; it ends after the last request under way."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._process is not None:
            self._process.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        kill_all(self._mark)

    def _listen(self, port: int) -> socket.socket:
        if self._listening is None:
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((_ADDRESS, port))
                listening.listen(_BACKLOG)
            except OSError:
                listening.close()
                raise
            self._listening, self.port = listening, listening.getsockname()[1]
        return self._listening


def _words(tls: Mapping[str, str] | None) -> list[str]:
    return [json.dumps(dict(tls))] if tls else []


def ask_front(files: EndpointFiles) -> Mapping[str, Any] | None:
    """The router's state; None if it can't be asked."""
    answer = ask_socket(files.directory, _CONTROL, "/state")
    found = None if answer is None else json.loads(answer[1])
    return found if isinstance(found, dict) else None


def _rollout(answer: tuple[int, bytes] | None) -> str | None:
    return None if answer is None else str(json.loads(answer[1])["rollout"])
