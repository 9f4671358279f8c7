"""What the endpoint saw, kept for drift detection: one JSON line a prediction, in a bounded folder.

A segment is written by one process as ``open/NAME.jsonl``, locked while that process lives, and moved to
``ready/NAME.jsonl`` when it is full or old enough; whoever ships it may take it from there. A killed process
leaves its segment in ``open``; the next one that starts moves it on, less a half-written last line.

Above the bound the oldest ready segments go, so that an endpoint whose target doesn't collect goes on
answering. A line is in the operating system's hands at once and on the disk within a second.
"""

import fcntl
import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.domain.run import new_run_id

_MOST_WAITING = 10_000
_SYNC_EVERY_S = 1.0
_END = None


@dataclass(frozen=True)
class SpoolBounds:
    """How large the spool gets.

    Args:
        segment_bytes: a segment is full from this size on.
        segment_s: and old enough after this time.
        total_bytes: of all ready segments together.
    """

    segment_bytes: int = 8 * 1024 * 1024
    segment_s: float = 600
    total_bytes: int = 512 * 1024 * 1024


class Spool:
    """Keeps records in ``folder``. One a process; its thread starts with the first record.

    Args:
        folder: made if absent, for its owner only.
        bounds: how large it gets.
    """

    def __init__(self, folder: Path, bounds: SpoolBounds = SpoolBounds()) -> None:
        self._folder, self._bounds = folder, bounds
        for part in ("open", "ready"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.dropped = 0
        """Records that weren't kept, because the disk was slower than the predictions or refused them."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Keep ``record`` (JSON-able, without patient data). Never waits and never fails."""
        self._start()
        try:
            self._waiting.put_nowait(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is waiting, and make the segment ready."""
        thread = self._thread
        if thread is not None:
            self._waiting.put(_END)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
                self._thread.start()

    def _write_all(self) -> None:
        adopt_orphans(self._folder)
        segment: _Segment | None = None
        goes_on = True
        while goes_on:
            lines, goes_on = self._take()
            try:
                if lines and segment is None:
                    segment = _Segment(self._folder)
                if segment is not None:
                    segment.write(b"".join(lines))
                    if not goes_on or segment.is_done(self._bounds):
                        segment.close()
                        segment = None
                        enforce_bound(self._folder, self._bounds.total_bytes)
            except OSError:
                self.dropped += len(lines)
                segment = None

    def _take(self) -> tuple[list[bytes], bool]:
        """Lines of the next second (none, if none came), and whether more may come."""
        lines: list[bytes] = []
        until = time.monotonic() + _SYNC_EVERY_S
        while (left := until - time.monotonic()) > 0 and len(lines) < _MOST_WAITING:
            try:
                line = self._waiting.get(timeout=left)
            except queue.Empty:
                break
            if line is _END:
                return lines, False
            lines.append(line)
        return lines, True


class _Segment:
    """A file that this process writes, locked as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._ready = folder / "ready"
        self._path = folder / "open" / f"{new_run_id()}.jsonl"
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._born = time.monotonic()
        self._size = 0

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(self._file, rest)
            self._size += written
            rest = rest[written:]
        os.fdatasync(self._file)

    def is_done(self, bounds: SpoolBounds) -> bool:
        return self._size >= bounds.segment_bytes or time.monotonic() - self._born >= bounds.segment_s

    def close(self) -> None:
        self._path.rename(self._ready / self._path.name)
        os.close(self._file)


def adopt_orphans(folder: Path) -> None:
    """Move on what killed processes left."""
    for path in sorted((folder / "open").glob("*.jsonl")):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _trim(file)
            path.rename(folder / "ready" / path.name)
        except OSError:
            continue  # its process lives
        finally:
            os.close(file)


def _trim(file: int) -> None:
    """Cut a half-written last line off."""
    size = os.fstat(file).st_size
    kept = size
    while kept:
        start = max(0, kept - 65_536)
        if (end := os.pread(file, kept - start, start).rfind(b"\n")) >= 0:
            kept = start + end + 1
            break
        kept = start
    if kept != size:
        os.ftruncate(file, kept)


def enforce_bound(folder: Path, total_bytes: int) -> int:
    """Remove the oldest ready segments until the others fit. How many went."""
    sizes = []
    for path in (folder / "ready").glob("*.jsonl"):
        try:
            sizes.append((path.name, path, path.stat().st_size))
        except OSError:
            continue  # shipped meanwhile
    total, gone = sum(size for _, _, size in sizes), 0
    for _, path, size in sorted(sizes):
        if total <= total_bytes:
            break
        path.unlink(missing_ok=True)
        total, gone = total - size, gone + 1
    return gone
