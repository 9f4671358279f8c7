"""Processes that read files. One that dies or hangs costs the file it was reading, and nothing else.

``concurrent.futures`` gives up the whole pool when one process dies, and its processes outlive a killed
parent; so each process here has its own socket: what it had answered names the file that it died of.
"""

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from isocenter.datasets.chunk import Chunk, new_tiles_path, write_tiles
from isocenter.datasets.decode_messages import Batch, BatchDone, FileToRead, Ready, WorkerSettings
from isocenter.datasets.quarantine import Reason
from isocenter.datasets.reading import refused
from isocenter.datasets.record import SourceRecord
from isocenter.errors import EnvironmentFaultError

FILE_TIMEOUT_S = 300.0
_MOST_FILES, _FEWEST_FILES = 64, 4
_MOST_TILE_BYTES = 32 << 20
_MOST_DEATHS_IN_A_ROW = 20
_MOST_ATTEMPTS = 3
# Without these, glibc gives the memory of each image back to the kernel, which zeroes it again for the next:
# half of the time for 2048 x 2048 pixels. Other C libraries ignore them.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}


@dataclass(eq=False)
class _Worker:
    """One reading process and what it is at."""

    process: subprocess.Popen[bytes]
    connection: Connection
    batch: Batch | None = None
    records: list[SourceRecord] = field(default_factory=list)
    heard: float = field(default_factory=time.monotonic)

    def give(self, batch: Batch) -> None:
        self.batch, self.records, self.heard = batch, [], time.monotonic()
        with suppress(OSError):  # it died; reading from it says so next
            self.connection.send(batch)

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


class DecodePool:
    """Reads files in ``processes`` processes; see ``open_pool``."""

    def __init__(self, settings: WorkerSettings, folder: Path, processes: int, file_timeout_s: float) -> None:
        self._settings, self._folder = settings, folder
        self._processes, self._file_timeout_s = processes, file_timeout_s
        self._workers: list[_Worker] = []
        self._queue: deque[Batch] = deque()
        self._finished: deque[Chunk] = deque()
        self._read = self._deaths_in_a_row = 0

    def read(self, files: Sequence[FileToRead], on_progress: Callable[[int], None]) -> Iterator[Chunk]:
        """Read ``files``; yield each chunk once its tiles are written (its records are the caller's to keep).

        Args:
            files: what to read; neighbours are read by the same process.
            on_progress: called with the number of files read so far.

        Raises:
            EnvironmentFaultError: processes can't start or keep dying whatever they read.
            OSError: tiles can't be written, e.g. the disk is full.
        """
        self._queue.extend(self._batches(files))
        while self._queue or self._finished or any(worker.batch for worker in self._workers):
            self._employ()
            self._listen()
            on_progress(self._read + sum(len(worker.records) for worker in self._workers))
            while self._finished:
                yield self._finished.popleft()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def _batches(self, files: Sequence[FileToRead]) -> Iterator[Batch]:
        """Large batches first and small ones last, so that all processes end at about the same time."""
        most = min(_MOST_FILES, _MOST_TILE_BYTES // (2 * self._settings.image_size**2))
        start = 0
        while start < len(files):
            share = (len(files) - start) // (2 * self._processes)
            size = max(_FEWEST_FILES, min(most, share))
            yield self._batch(files[start : start + size])
            start += size

    def _batch(self, files: Sequence[FileToRead], attempt: int = 0) -> Batch:
        return Batch(new_tiles_path(self._folder), tuple(files), attempt)

    def _employ(self) -> None:
        for worker in self._workers:
            if worker.batch is None and self._queue:
                worker.give(self._queue.popleft())
        while self._queue and len(self._workers) < self._processes:
            worker = _start(self._settings)
            self._workers.append(worker)
            worker.give(self._queue.popleft())

    def _listen(self) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection), timeout=1.0):
            self._hear(by_connection[connection])  # type: ignore[index]
        for worker in list(self._workers):
            if worker.batch and time.monotonic() - worker.heard > self._file_timeout_s:
                self._bury(worker, Reason.TIMED_OUT)

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker, Reason.CRASHED_READER)
            return
        worker.heard = time.monotonic()
        if isinstance(message, Ready):
            return
        self._deaths_in_a_row = 0
        if isinstance(message, BatchDone):
            self._finish(worker, message)
        else:
            worker.records.append(message)

    def _finish(self, worker: _Worker, done: BatchDone) -> None:
        if done.errno:
            raise OSError(done.errno, os.strerror(done.errno))
        if worker.batch:
            self._deliver(Chunk(worker.batch.tiles, tuple(worker.records)))
        worker.batch, worker.records = None, []
        self._employ()

    def _deliver(self, chunk: Chunk) -> None:
        self._read += len(chunk.records)
        self._finished.append(chunk)

    def _bury(self, worker: _Worker, reason: Reason) -> None:
        """Give the files of a dead or hanging worker to others, less the one that it died of."""
        worker.stop()
        self._workers.remove(worker)
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > _MOST_DEATHS_IN_A_ROW:
            raise EnvironmentFaultError(
                "The processes that read files die at once, whatever they read.",
                hint="Is memory short? Try --processes 1; `isocenter doctor` checks the installation.",
            )
        if worker.batch is None:
            return
        position, batch = len(worker.records), worker.batch
        if position == len(batch.files):
            self._retry_whole(batch)
            return
        others = batch.files[:position] + batch.files[position + 1 :]
        if others:
            self._queue.appendleft(self._batch(others))
        self._suspect(batch, batch.files[position], reason)

    def _retry_whole(self, batch: Batch) -> None:
        if batch.attempt + 1 >= _MOST_ATTEMPTS:
            raise EnvironmentFaultError(
                "The processes that read files die while they write.", hint="Is memory short?"
            )
        self._queue.append(replace(batch, attempt=batch.attempt + 1))

    def _suspect(self, batch: Batch, file: FileToRead, reason: Reason) -> None:
        """Read ``file`` once more, alone; when that was it already, set it aside."""
        alone_before = len(batch.files) == 1 and batch.attempt > 0
        if reason == Reason.CRASHED_READER and not alone_before:
            self._queue.append(self._batch([file], attempt=1))
            return
        tiles = new_tiles_path(self._folder)
        write_tiles(tiles, [], self._settings.image_size)
        self._deliver(Chunk(tiles, (refused(file, reason),)))


@contextmanager
def open_pool(
    settings: WorkerSettings, folder: Path, processes: int, file_timeout_s: float = FILE_TIMEOUT_S
) -> Iterator[DecodePool]:
    """A pool whose processes end with the block.

    Args:
        settings: root, tile size and pseudonyms.
        folder: where tiles are written.
        processes: how many; they start when there is something to read.
        file_timeout_s: how long one file may take, in seconds.
    """
    pool = DecodePool(settings, folder, processes, file_timeout_s)
    try:
        yield pool
    finally:
        pool.close()


def _start(settings: WorkerSettings) -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        # -P: a file named numpy.py in the current folder must not be imported.
        program = [sys.executable, "-P", "-m", "isocenter.datasets.decode_worker"]
        # Decoders print about odd files; what they print may quote patient data.
        process = subprocess.Popen(
            [*program, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | _MALLOC,
        )
    connection = Connection(ours.detach())
    with suppress(OSError):  # it died; reading from it says so
        connection.send(settings)
    return _Worker(process, connection)
