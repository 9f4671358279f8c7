"""What the tests of local endpoints share: versions, requests, loads, and who is alive."""

import hashlib
import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from isocenter.domain.rollout import Endpoint, Variant
from isocenter.home import Home
from isocenter.servers.local_files import EndpointFiles
from isocenter.servers.local_process import processes_of

STAND_IN = Path(__file__).with_name("stand_in.py")


def variant(folder: Path, number: int, **behaviour: Any) -> Variant:
    """``cxr:<number>`` with a bundle for the stand-in."""
    bundle = folder / f"bundle-{number}"
    bundle.mkdir(exist_ok=True)
    (bundle / "behaviour.json").write_text(json.dumps(behaviour))
    digest = "sha256:" + hashlib.sha256(bundle.name.encode()).hexdigest()
    return Variant(f"cxr:{number}", digest, str(bundle))


def post(
    endpoint: Endpoint, body: bytes = b"x", *, path: str = "/predict", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): v for name, v in headers.items()})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@dataclass
class Load:
    """What clients that ask without a pause were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)


@contextmanager
def load(
    endpoint: Endpoint, clients: int = 4, body: bytes = b"x" * 2000, path: str = "/predict", **headers: str
) -> Iterator[Load]:
    """Clients that ask one request after the other, each on its own connection, while the block runs."""
    found, ended, lock = Load(), threading.Event(), threading.Lock()

    def ask() -> None:
        while not ended.is_set():
            try:
                status, answer = post(endpoint, body, path=path, **headers)
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    found.broken[type(error).__name__] += 1
                time.sleep(0.01)
                continue
            with lock:
                found.statuses[status] += 1
                found.versions[answer.get("version", 0)] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def wait_for(condition: Any, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.02)


def files_of(home: Home, name: str = "chest") -> EndpointFiles:
    return EndpointFiles(home.root / "endpoints" / name)


def supervisor_of(home: Home, name: str = "chest") -> int:
    return int(files_of(home, name).status()["supervisor"])


def processes(home: Home, role: str, name: str = "chest") -> list[int]:
    """Numbers of the processes of the router, or of the group with this key; the leader first."""
    files = files_of(home, name)
    found = list(processes_of(f"{files.mark()}:{role}"))
    return [process.pid for process, session in sorted(found, key=lambda f: f[0].pid != f[1])]


def key_of(home: Home, reference: str, name: str = "chest") -> str:
    routes = (files_of(home, name).routed() or {})["routes"]
    return str(next(route["key"] for route in routes if route["reference"] == reference))


def end_all(home: Home) -> None:
    """Leave nothing running, whatever a test did."""
    for folder in (home.root / "endpoints").glob("*"):
        files = EndpointFiles(folder)
        supervisor = files.status().get("supervisor")
        roles = ["router", *(path.name for path in (folder / "groups").glob("*"))]
        if supervisor and _is_supervisor(int(supervisor)):
            os.kill(int(supervisor), 9)
        for role in roles:
            for process, _ in processes_of(f"{files.mark()}:{role}"):
                process.signal(9)


def _is_supervisor(pid: int) -> bool:
    try:
        return b"local_supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
