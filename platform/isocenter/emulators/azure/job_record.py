"""What the emulator knows of a job: kept in a file, so that it is known again after a restart."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isocenter.storage.atomic import write_bytes

FINAL = ("Completed", "Failed", "Canceled")


def now() -> str:
    """The time as the service writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JobRecord:
    """One job's request and state; safe to use from several threads.

    Args:
        folder: of the job; ``record.json`` in it is read if it is there.
        name: of the job.
        properties: as the client sent them; empty where the file has them.
    """

    def __init__(self, folder: Path, name: str, properties: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.name = name
        self._lock = threading.RLock()
        self._state: dict[str, Any] = {
            "properties": dict(properties or {}),
            "status": "Queued",
            "created": now(),
            "started": None,
            "ended": None,
            "error": None,
            "launch": 1,
            "asked": "",
        }
        if self._path.is_file():
            self._state = json.loads(self._path.read_bytes())
        else:
            self.change()

    @property
    def _path(self) -> Path:
        return self.folder / "record.json"

    @property
    def properties(self) -> dict[str, Any]:
        """The request."""
        return dict(self._state["properties"])

    @property
    def status(self) -> str:
        """In the service's words."""
        return str(self._state["status"])

    @property
    def launch(self) -> int:
        """How often it was put on a machine."""
        return int(self._state["launch"])

    @property
    def asked(self) -> str:
        """``cancel`` or ``interrupt`` where somebody wants it stopped."""
        return str(self._state["asked"])

    def __getitem__(self, key: str) -> Any:
        """``created``, ``started``, ``ended`` or ``error``."""
        return self._state[key]

    def change(self, **values: Any) -> None:
        """Set some of the state, and keep it."""
        with self._lock:
            if values.get("asked") and self.status in FINAL:
                return
            self._state |= values
            write_bytes(self._path, json.dumps(self._state).encode(), mode=0o600)
