"""Delivering lineage to an OpenLineage collector over HTTP: in order, at least once, never in the way."""

import logging
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.errors import InputError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes

_TIMEOUT_S = 5.0
_PAUSE_S = 60.0
_MOST_LINES = 200
_log = logging.getLogger(__name__)


@dataclass
class Collector:
    """A collector and how much of the lineage file it has.

    Args:
        url: where events are posted.
        api_key: sent as bearer token; empty for none.
        position_file: holds the number of bytes of the lineage file that were delivered.
    """

    url: str
    api_key: str = field(repr=False)
    position_file: Path
    _silent_until: float = 0.0
    _warned: bool = False

    @classmethod
    def from_environment(cls, home: Home) -> "Collector | None":
        """The collector at ``$OPENLINEAGE_URL``, if any.

        ``$OPENLINEAGE_ENDPOINT`` (default ``api/v1/lineage``) and ``$OPENLINEAGE_API_KEY`` count too.

        Raises:
            InputError: the URL is not http or https.
        """
        base = os.environ.get("OPENLINEAGE_URL", "").strip()
        if not base:
            return None
        if not base.lower().startswith(("http://", "https://")):
            raise InputError("OPENLINEAGE_URL must begin with http:// or https://.")
        endpoint = os.environ.get("OPENLINEAGE_ENDPOINT") or "api/v1/lineage"
        url = f"{base.rstrip('/')}/{endpoint.lstrip('/')}"
        return cls(url, os.environ.get("OPENLINEAGE_API_KEY", ""), home.root / "lineage.delivered")

    def deliver(self, file: Path) -> None:
        """Post what the collector has not got yet; after a failure, not again for a minute."""
        if time.monotonic() < self._silent_until:
            return
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.position_file.with_suffix(".lock"), timeout=0):
                self._deliver(file)
        except Timeout:
            return  # another process delivers at this moment, our line too
        except (OSError, urllib.error.URLError, ValueError) as error:
            self._pause(error)

    def _deliver(self, file: Path) -> None:
        position = self._position()
        with file.open("rb") as stream:
            stream.seek(position)
            for _ in range(_MOST_LINES):
                line = stream.readline()
                if not line.endswith(b"\n"):
                    return
                self._post(line)
                position += len(line)
                write_bytes(self.position_file, str(position).encode())

    def _position(self) -> int:
        try:
            return int(self.position_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _post(self, line: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(self.url, line.rstrip(), headers)  # noqa: S310 - http(s), checked
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            response.read()

    def _pause(self, error: Exception) -> None:
        self._silent_until = time.monotonic() + _PAUSE_S
        if not self._warned:
            self._warned = True
            _log.warning("The lineage collector does not answer (%s); events wait in the file.", error)
