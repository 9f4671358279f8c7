"""moto's server as a process of its own. What it holds is in its memory."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from isocenter.emulators.web_server import Answer, Request
from isocenter.errors import EnvironmentFaultError
from isocenter.storage.atomic import write_bytes

_START_S = 60.0
_TIMEOUT_S = 120.0
# Of one connection, or set anew by our server.
_OURS = frozenset(("connection", "keep-alive", "transfer-encoding", "date", "server", "content-length"))
_HINT = "pip install 'isocenter[aws-emulator]'"


class MotoServer:
    """A running moto.

    ``is_new`` says that it holds nothing of an earlier emulator.

    Args:
        address: ``http://127.0.0.1:PORT`` of one that somebody else started and ends; empty: start one.
        log: file for what it says.
        state: file by which one is found again that a killed emulator left behind; None: it ends with this
            process, however that ends.

    Raises:
        EnvironmentFaultError: it doesn't start.
    """

    def __init__(self, address: str, log: Path, state: Path | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._state = state
        known = address or self._found_again()
        self.is_new = not known
        self.address = known or self._start(log)

    def forward(self, request: Request) -> Answer:
        """What moto answers to ``request``."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        path = f"{request.path}?{request.query_text}" if request.query_text else request.path
        dropped = {"transfer-encoding", "content-length", "expect", "connection"}
        headers = {name: value for name, value in request.headers.items() if name not in dropped}
        try:
            connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**headers, "content-length": str(len(request.body))}.items():
                connection.putheader(name, value.encode("utf-8", "surrogateescape"))
            connection.endheaders(request.body)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(503, json.dumps({"__type": "ServiceUnavailable", "message": str(error)}).encode())
        finally:
            connection.close()
        return Answer(response.status, body, _kept(request.method, response.getheaders()))

    def close(self) -> None:
        """End the one that was started here, or found again."""
        if self._state is not None:
            self._state.unlink(missing_ok=True)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _found_again(self) -> str:
        """The address of one that was left behind, which is ours from now on; empty where there is none."""
        if self._state is None:
            return ""
        try:
            address = str(json.loads(self._state.read_bytes())["address"])
        except (OSError, ValueError, KeyError):
            return ""
        if not _answers(urlsplit(address).port or 0):
            return ""
        self._own(self._state, address)
        return address

    def _own(self, state: Path, address: str) -> None:
        write_bytes(state, json.dumps({"address": address, "front": os.getpid()}).encode())

    def _start(self, log: Path) -> str:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        words = [sys.executable, "-m", "isocenter.emulators.aws.moto_child", str(port)]
        if self._state is not None:
            self._own(self._state, address)
            words.append(str(self._state))
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                words,
                env=os.environ
                | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not _answers(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise EnvironmentFaultError(f"moto doesn't start; {log} says why.", hint=_HINT)
            time.sleep(0.05)
        return address


def _kept(method: str, headers: list[tuple[str, str]]) -> Mapping[str, str]:
    kept = {name: value for name, value in headers if name.lower() not in _OURS}
    if method == "HEAD":
        kept |= {name.title(): value for name, value in headers if name.lower() == "content-length"}
    return kept


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/moto-api/config")
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
