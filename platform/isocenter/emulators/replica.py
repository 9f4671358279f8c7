"""One serving container of an endpoint as a process of this machine."""

import http.client
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.emulators.job_process import JobProcess

_HEALTH_S = 2.0
_ANSWER_S = 60.0
# A container's disk is its own: what it is told to keep there goes to its folder.
_OWN_DISK = "/tmp/"  # noqa: S108 - replaced, not used


@dataclass(frozen=True)
class Container:
    """What runs in each replica.

    Args:
        command: program and arguments.
        environment: what the service and the emulator tell it, beside its port.
        given: what its owner tells it.
        port_variable: how it is told its port.
        health_route: answers 200 when predictions are taken.
        predict_route: takes them.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    given: Mapping[str, str]
    health_route: str
    predict_route: str
    port_variable: str


@dataclass(frozen=True)
class Replica:
    """A replica in its folder: ``starts/N`` for each time that it was started, with its port.

    Args:
        folder: of this replica alone.
    """

    folder: Path

    @property
    def starts(self) -> list[Path]:
        """Folders of its starts, the oldest first."""
        found = [path for path in (self.folder / "starts").glob("*") if path.name.isdecimal()]
        return sorted(found, key=lambda path: int(path.name))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int((self.starts[-1] / "port").read_text())

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return bool(self.starts) and _process(self.starts[-1]).poll() is None

    @property
    def age_s(self) -> float:
        """Seconds since it was started last; endless if it never was."""
        return time.time() - (self.starts[-1] / "port").stat().st_mtime if self.starts else float("inf")

    def start(self, container: Container) -> None:
        """Start it, once more."""
        folder = self.folder / "starts" / str(len(self.starts))
        folder.mkdir(parents=True)
        port = _free_port()
        (folder / "port").write_text(str(port))
        own = {name: _on_own_disk(value, folder) for name, value in container.given.items()}
        # The services reach a container at an address of its own; here only this machine shall reach it.
        listen = {container.port_variable: str(port), "ISOCENTER_SERVING_HOST": "127.0.0.1"}
        process = _process(folder, container.command, {**own, **container.environment, **listen})
        process.start()

    def is_healthy(self, container: Container) -> bool:
        """Whether it takes predictions."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_HEALTH_S)
        try:
            connection.request("GET", container.health_route)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def terminate(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL ``grace_s`` later; returns at once."""
        if self.starts:
            _process(self.starts[-1]).terminate(grace_s)

    def logs(self) -> list[Path]:
        """What it printed at each start, the oldest first."""
        return [folder / "log.txt" for folder in self.starts if (folder / "log.txt").is_file()]


def post(port: int, path: str, body: bytes, content_type: str) -> tuple[int, str, bytes] | None:
    """Status, media type and body of a container's answer; None if there is none.

    Args:
        port: where it listens.
        path: one of its routes.
        body: of the request.
        content_type: likewise.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _process(
    folder: Path, command: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> JobProcess:
    return JobProcess(command, environment or {}, folder, folder / "log.txt")


def _on_own_disk(value: str, folder: Path) -> str:
    return str(folder / "disk" / value.removeprefix(_OWN_DISK)) if value.startswith(_OWN_DISK) else value


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
