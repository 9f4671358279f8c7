"""The supervisor has what its serving programs keep collected, by a process of its own.

That process gets to see the store's database and the cloud's credentials; serving programs never do.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from isocenter.servers.local_files import EndpointFiles
from isocenter.servers.local_process import Process, inherited_environment, kill_all, leader_of, start_process

_EVERY_S = 60.0
_LONGEST_S = 600.0
_AT_THE_END_S = 60.0
# Beside those that all processes of an endpoint see.
_STORE = (
    *("ISOCENTER_DEPLOYMENTS", "ISOCENTER_DATABASE_URL", "ISOCENTER_AUDIT_KEY_FILE"),
    *("ISOCENTER_SITE_SECRET_FILE", "ISOCENTER_RESIDENCY", "ISOCENTER_ARTIFACTS_URL"),
)
_CREDENTIALS = ("AWS_", "AZURE_", "GOOGLE_", "PG")


def store_environment() -> dict[str, str]:
    """What the supervisor inherits of this process's environment, for collections only."""
    return {
        name: value for name, value in os.environ.items() if name in _STORE or name.startswith(_CREDENTIALS)
    }


class Collection:
    """Starts ``isocenter endpoint collect`` when there is something to collect.

    Args:
        files: the endpoint's.
    """

    def __init__(self, files: EndpointFiles) -> None:
        self._files = files
        self._mark = f"{files.mark()}:collection"
        self._process: Process | None = leader_of(self._mark)
        self._began = time.monotonic()
        self._is_last = False

    def watch(self, wanted: Mapping[str, object]) -> None:
        """Start one if it is time, and end one that hangs."""
        if self._is_running():
            return
        every = float(str(wanted.get("collect_s", _EVERY_S)))
        if time.monotonic() - self._began >= every and self._is_due(ships=bool(wanted.get("ships"))):
            self._start()

    def finish(self, wanted: Mapping[str, object]) -> bool:
        """Collect once more, now that nobody writes any more; True when that has ended."""
        if self._is_last:
            late = time.monotonic() - self._began > _AT_THE_END_S
            if late:
                kill_all(self._mark)
            return late or not self._is_running()
        if self._is_running():
            return False
        self._is_last = True
        if not self._is_due(ships=bool(wanted.get("ships"))):
            return True
        self._start()
        return False

    def _is_running(self) -> bool:
        if self._process is None or not self._process.is_alive():
            return False
        if time.monotonic() - self._began > _LONGEST_S:
            kill_all(self._mark)
        return True

    def _is_due(self, *, ships: bool) -> bool:
        """Whether a program has written something down that can be taken away."""
        kept = self._files.kept()
        patterns = ("denials/*.jsonl", *(("features/ready/*.jsonl",) if ships else ()))
        return any(_is_filled(path) for folder in kept for each in patterns for path in folder.glob(each))

    def _start(self) -> None:
        self._began = time.monotonic()
        directory = self._files.directory
        environment = inherited_environment() | store_environment()
        self._process = start_process(
            [sys.executable, "-m", "isocenter.cli.main", "endpoint", "collect", directory.name],
            self._mark,
            environment
            | {"ISOCENTER_HOME": str(directory.resolve().parents[1]), "ISOCENTER_ACTOR": "supervisor"},
            directory,
            self._files.supervisor_log,
        )


def _is_filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
