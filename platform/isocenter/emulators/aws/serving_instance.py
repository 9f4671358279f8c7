"""One instance of an endpoint's variant: the serving container's program as processes of this machine.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.job_log import LogPump
from isocenter.servers.local_process import Process, inherited_environment, start_process

_PING_S, _ANSWER_S = 2.0, 60.0
_POLL_S = 0.05
_PASSED = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")


@dataclass(frozen=True)
class ContainerAnswer:
    """What the container said; status 0: nothing, in time."""

    status: int
    body: bytes
    content_type: str


class ServingInstance:
    """One container.

    Args:
        folder: of this instance alone.
        program: what stands for the image's entry point.
        environment: of the model.
        model: directory with its files.
        mark: by which its processes are known.
        pump: sends a file to a log stream.
    """

    def __init__(
        self,
        folder: Path,
        program: Sequence[str],
        environment: Mapping[str, str],
        model: Path,
        mark: str,
        pump: Callable[[Path], LogPump],
    ) -> None:
        self._folder, self._program, self._mark = folder, tuple(program), mark
        self._environment = environment
        self._lock = threading.Lock()
        self._in_flight = 0
        self._port = 0
        self._process: Process | None = None
        self.launches = 0
        root = folder / "opt" / "ml"
        root.mkdir(parents=True)
        (root / "model").symlink_to(model)
        (folder / "work").mkdir()
        (folder / "log").touch()
        self._pump = pump(folder / "log")

    @property
    def is_alive(self) -> bool:
        """Whether its leader runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._in_flight

    def start(self) -> None:
        """Start the container, or start it again."""
        self.launches += 1
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        environment = {
            **inherited_environment(),
            **self._environment,
            "ISOCENTER_SERVING_HOST": "127.0.0.1",
            "ISOCENTER_SAGEMAKER_ROOT": str(self._folder / "opt" / "ml"),
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
        }
        command = (*self._program, "serve")
        self._process = start_process(
            command, self._mark, environment, self._folder / "work", self._folder / "log"
        )

    def is_healthy(self) -> bool:
        """What SageMaker asks: /ping, answered with 200 within two seconds."""
        try:
            return self._ask("GET", "/ping", b"", {}, _PING_S).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ContainerAnswer:
        """POST /invocations, within 60 seconds."""
        passed = {name: headers[name] for name in _PASSED if name in headers}
        with self._lock:
            self._in_flight += 1
        try:
            return self._ask("POST", "/invocations", body, passed, _ANSWER_S)
        except (OSError, http.client.HTTPException):
            return ContainerAnswer(0, b"", "")
        finally:
            with self._lock:
                self._in_flight -= 1

    def stop(self, grace_s: float) -> None:
        """SIGTERM after the requests under way, SIGKILL after ``grace_s``; returns when it has ended."""
        deadline = time.monotonic() + grace_s
        while self._in_flight and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if self._process is not None:
            self._process.signal(signal.SIGTERM)
            while self._process.is_alive() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        self.kill()
        self._pump.close()

    def kill(self) -> None:
        """End it and its workers now."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> ContainerAnswer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=seconds)
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            return ContainerAnswer(
                response.status, response.read(), response.getheader("Content-Type", "application/json")
            )
        finally:
            connection.close()


def pump_to(logs: Any, group: str, stream: str) -> Callable[[Path], LogPump]:
    """What sends a file to a stream of ``group``."""
    return lambda path: LogPump(logs, path, stream, group)
