"""The process that reads files for an ingest: ``python -m isocenter.datasets.decode_worker SOCKET PARENT``.

It answers over the socket: one record per file as it is read, then the end of the batch. It ends with the
process PARENT; where the system can't do that (not Linux), when the socket ends, after a batch at most.
"""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from isocenter.datasets.chunk import write_tiles
from isocenter.datasets.decode_messages import Batch, BatchDone, Ready, WorkerSettings
from isocenter.datasets.reading import read_file

_PR_SET_PDEATHSIG = 1


def serve(connection: Connection) -> None:
    """Read batches until the other side closes."""
    settings: WorkerSettings = connection.recv()
    connection.send(Ready())
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            _read_batch(connection, settings, connection.recv())


def _read_batch(connection: Connection, settings: WorkerSettings, batch: Batch) -> None:
    tiles = []
    for file in batch.files:
        record, tile = read_file(settings.root, file, settings.image_size, settings.pseudonyms)
        if tile is not None:
            tiles.append(tile)
        connection.send(record)
    try:
        write_tiles(batch.tiles, tiles, settings.image_size)
    except OSError as error:
        connection.send(BatchDone(error.errno or -1))
    else:
        connection.send(BatchDone())


def _prefer_to_be_killed() -> None:
    """When memory runs out, the kernel shall end this process and not the one that keeps the books."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _end_with_parent(parent: int) -> None:
    """A killed ingest must leave nobody behind who still writes, when its re-run has started already."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        sys.exit()


def main() -> None:
    """Serve over the socket that the first argument names, for the parent process that the second names."""
    _end_with_parent(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prefer_to_be_killed()
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
