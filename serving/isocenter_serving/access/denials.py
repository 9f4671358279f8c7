"""Each denial, kept until the platform has taken it into the audit trail.

The container can't reach the trail, so it writes one JSON line a denial into a folder from which
``isocenter endpoint collect`` takes it; on a machine without such a folder the line goes to the log, which
each cloud keeps.
"""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from isocenter_serving.access.base import Denied

_MOST_BYTES = 64 * 1024 * 1024


class DenialLog:
    """Appends denials to ``folder/denials.jsonl``; several processes may share it.

    A flood must not fill the disk: above 64 MiB that nobody collected, denials are only counted in metrics.

    Args:
        folder: where the file is; made if absent.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "denials.jsonl"

    def record(self, denied: Denied, request_id: str, *, now: datetime | None = None) -> bool:
        """Write down who wasn't let in. Whether there was room.

        Args:
            denied: why.
            request_id: as in the answer.
            now: when (UTC); None: now.

        Raises:
            OSError: the disk is full or gone.
        """
        line = {
            "at": (now or datetime.now(UTC)).isoformat(timespec="milliseconds"),
            "reason": denied.reason,
            "status": denied.status,
            "subject": denied.subject,
            "request": request_id,
        }
        opened = self._open()
        try:
            if os.fstat(opened).st_size > _MOST_BYTES:
                return False
            os.write(opened, json.dumps(line).encode() + b"\n")
            os.fdatasync(opened)
        finally:
            os.close(opened)
        return True

    def _open(self) -> int:
        """The file, locked. Whoever collects denials renames it under the same lock."""
        while True:
            opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(opened, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(opened), self._path.stat()):
                    return opened
            except FileNotFoundError:
                pass
            os.close(opened)
