"""Where lineage goes: one JSON line for each event, and to a collector where the site has one."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.domain.run import RunId
from isocenter.home import Home
from isocenter.lineage.run_event import EventType, LineageDataset, run_event, run_uuid

if TYPE_CHECKING:
    from isocenter.lineage.collector import Collector

__all__ = ["LineageDataset", "LineageEmitter", "run_uuid"]


class LineageEmitter:
    """Writes run events to ``HOME/lineage.jsonl``; posts them too if ``$OPENLINEAGE_URL`` is set.

    The file comes first. A collector that does not answer never fails or holds up a run: what it has not
    got is sent with the next event that finds it well.

    Args:
        home: the store.
    """

    def __init__(self, home: Home) -> None:
        self._file = home.lineage
        self._collector = _collector(home)

    def start(
        self,
        run: RunId,
        job_name: str,
        inputs: Sequence[LineageDataset] = (),
        outputs: Sequence[LineageDataset] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Say that ``run`` began; arguments as of :func:`~isocenter.lineage.run_event.run_event`."""
        return self._emit(run_event(EventType.START, run, job_name, inputs, outputs, facets))

    def complete(
        self,
        run: RunId,
        job_name: str,
        inputs: Sequence[LineageDataset] = (),
        outputs: Sequence[LineageDataset] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Say that it ended well."""
        return self._emit(run_event(EventType.COMPLETE, run, job_name, inputs, outputs, facets))

    def fail(
        self,
        run: RunId,
        job_name: str,
        inputs: Sequence[LineageDataset] = (),
        outputs: Sequence[LineageDataset] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Say that it failed."""
        return self._emit(run_event(EventType.FAIL, run, job_name, inputs, outputs, facets))

    def _emit(self, event: dict[str, Any]) -> dict[str, Any]:
        _append_line(self._file, event)
        if self._collector is not None:
            self._collector.deliver(self._file)
        return event


def _collector(home: Home) -> "Collector | None":
    if not os.environ.get("OPENLINEAGE_URL"):
        return None
    from isocenter.lineage.collector import Collector

    return Collector.from_environment(home)


def _append_line(path: Path, event: Mapping[str, Any]) -> None:
    line = json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line)  # one call, so that lines of several processes never mix
    finally:
        os.close(descriptor)
