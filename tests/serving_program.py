"""The serving program as a process, and what tests say to it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ACCESS = "fronted:sagemaker"
DICOM = {"Content-Type": "application/dicom"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Program:
    """A running serving program."""

    process: "subprocess.Popen[bytes]"
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **options)

    def predict(self, body: bytes, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/predict", content=body, headers={**DICOM, **headers})

    def log(self) -> list[dict[str, Any]]:
        """Every line is JSON; anything else fails here."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def wait_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log_path.read_text()
            with contextlib.suppress(httpx.TransportError), self.client() as client:
                if client.get("/readyz").status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("not ready: " + self.log_path.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextlib.contextmanager
def at_socket(socket_path: Path, log_path: Path, bundle: Path, *options: object) -> Iterator[httpx.Client]:
    """A client of a ready program that listens at a Unix socket; the program has ended afterwards."""
    variables = {**os.environ, "ISOCENTER_SERVING_ACCESS": ACCESS}
    with log_path.open("wb") as log:
        process = subprocess.Popen(arguments(bundle, None, *options), stderr=log, env=variables)
    transport = httpx.HTTPTransport(uds=str(socket_path))
    try:
        with httpx.Client(transport=transport, base_url="http://program", timeout=60) as client:
            deadline = time.monotonic() + 60
            while '"ready"' not in log_path.read_text():
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < deadline, "not ready: " + log_path.read_text()
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.wait(60)


def arguments(bundle: Path | None, port: int | None, *options: object) -> list[str]:
    words: list[object] = [sys.executable, "-m", "isocenter_serving", "serve", "--host", "127.0.0.1"]
    words += ["--bundle", bundle] if bundle else []
    words += ["--port", port] if port else []
    return [str(word) for word in (*words, *options)]


@contextlib.contextmanager
def running(
    log_path: Path,
    bundle: Path | None,
    *options: object,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    names_port: bool = True,
) -> Iterator[Program]:
    """A ready program; it is ended afterwards, unless that has happened."""
    port = port or free_port()
    variables = {**os.environ, "ISOCENTER_SERVING_ACCESS": ACCESS, **(environment or {})}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            arguments(bundle, port if names_port else None, *options), stderr=log, env=variables
        )
    program = Program(process, port, log_path)
    try:
        program.wait_ready()
        yield program
    finally:
        if process.poll() is None:
            program.stop()
