"""The site's object store: moto's S3, in a process of its own: it outlives a cluster that is killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from isocenter.errors import EnvironmentFaultError
from isocenter.storage.atomic import write_bytes

_START_S = 60.0
_POLL_S = 0.05


class ObjectStore:
    """An S3 service on 127.0.0.1. What it holds lies in its memory.

    ``is_new`` says, once it has started, that it holds nothing from before.

    Args:
        folder: keeps where it is, and its log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "object-store.json"
        self.address = ""
        self.is_new = False

    def start(self, buckets: Sequence[str]) -> str:
        """Its address; one that was left behind by a cluster that was killed is found again.

        Args:
            buckets: that are there from now on.

        Raises:
            EnvironmentFaultError: it doesn't start.
        """
        known = self._known()
        self.address, self.is_new = known or self._start(), not known
        for bucket in buckets:
            request = Request(f"{self.address}/{bucket}", method="PUT", headers=_anybody())  # noqa: S310 - ours
            urlopen(request, timeout=30).close()  # noqa: S310 - our own address
        return self.address

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(json.loads(self._state.read_bytes())["pid"]), signal.SIGTERM)
        self._state.unlink(missing_ok=True)

    def _known(self) -> str:
        try:
            address = str(json.loads(self._state.read_bytes())["address"])
        except (OSError, ValueError, KeyError):
            return ""
        return address if _answers(address) else ""

    def _start(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        log = self._folder / "object-store.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise EnvironmentFaultError(f"The emulated object store doesn't start; {log} says why.")
            time.sleep(_POLL_S)
        process.returncode = 0  # never waited for here, on purpose
        write_bytes(self._state, json.dumps({"address": address, "pid": process.pid}).encode())
        return address


def _anybody() -> dict[str, str]:
    """Moto reads the service out of a signature's scope, and checks no more of it."""
    scope = "emulated/20260101/us-east-1/s3/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/moto-api/config", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status < 300)
    except (URLError, OSError):
        return False
