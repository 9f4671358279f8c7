"""metrics.jsonl: one JSON object an epoch, in order, each epoch once however often the run was continued."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isocenter.storage import atomic


class MetricsLog:
    """The file at ``path``. With ``writes`` false it is left alone."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self._path = path
        self._writes = writes

    def restore(self, history: Iterable[Mapping[str, Any]]) -> None:
        """Make the file hold ``history`` and nothing else: lines of epochs that are repeated go."""
        if self._writes:
            atomic.write_bytes(self._path, "".join(map(_line, history)).encode())

    def append(self, metrics: Mapping[str, Any]) -> None:
        """Add the metrics of an epoch."""
        if self._writes:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(_line(metrics))


def _line(metrics: Mapping[str, Any]) -> str:
    return json.dumps(metrics) + "\n"
