"""What lies in a local endpoint's directory, ``HOME/endpoints/NAME``.

Sockets are named by short paths relative to it, because a Unix socket's path has at most 107 bytes and a
store may lie deep.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.storage.atomic import write_bytes, write_bytes_once

CAPTURE = "capture"
"""Where a version's processes keep features and denials, relative to where they work."""


@dataclass(frozen=True)
class EndpointFiles:
    """The files of one local endpoint."""

    directory: Path

    @property
    def lock(self) -> Path:
        """Locked by the supervisor as long as it lives."""
        return self.directory / "lock"

    @property
    def supervisor_log(self) -> Path:
        """What supervisor and router say."""
        return self.directory / "supervisor.log"

    def wanted(self) -> Mapping[str, Any] | None:
        """What the endpoint was asked to be last; None if there is no endpoint."""
        return _read(self.directory / "wanted.json")

    def want(self, value: Mapping[str, Any]) -> None:
        """Ask the supervisor for this."""
        _write(self.directory / "wanted.json", value)

    def status(self) -> Mapping[str, Any]:
        """What the supervisor wrote last; empty before it did."""
        return _read(self.directory / "status.json") or {}

    def tell(self, value: Mapping[str, Any]) -> None:
        """Write how things stand."""
        _write(self.directory / "status.json", value)

    def routed(self) -> Mapping[str, Any] | None:
        """The routes that were written last."""
        return _read(self.directory / "routes.json")

    def route(self, value: Mapping[str, Any]) -> None:
        """Write the routes that the router takes up."""
        _write(self.directory / "routes.json", value)

    def group(self, key: str) -> Path:
        """Directory of the processes of one version."""
        return self.directory / "groups" / key

    def group_log(self, key: str) -> Path:
        """What the processes of one version say."""
        return self.group(key) / "log"

    def kept(self) -> list[Path]:
        """Folders in which the processes of each version, also of one that is gone, keep things."""
        return sorted((self.directory / "groups").glob(f"*/{CAPTURE}"))

    def mark(self) -> str:
        """The word by which processes of this endpoint are told from all others."""
        path = self.directory / "mark"
        write_bytes_once(path, lambda: secrets.token_hex(16).encode(), mode=0o600)
        return path.read_text(encoding="ascii")

    def forget(self) -> None:
        """Remove what says that there is an endpoint; logs and captured features stay."""
        for name in ("wanted.json", "routes.json", "status.json"):
            (self.directory / name).unlink(missing_ok=True)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, value: Mapping[str, Any]) -> None:
    write_bytes(path, json.dumps(value).encode(), mode=0o600)
