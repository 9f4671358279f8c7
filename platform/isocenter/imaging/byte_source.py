"""Bytes to read from: a file, an open stream or memory; with a size, and never more than a limit of them."""

import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused


class ByteSource(Protocol):
    """Random access to ``size`` bytes."""

    size: int

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``; fewer where the source ends."""


class MemorySource(AbstractContextManager["MemorySource"]):
    """Bytes that are in memory already."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """See ``ByteSource``."""
        whole = offset == 0 and count >= self.size
        return self._data if whole else self._data[offset : offset + count]

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""


class FileSource:
    """A regular file. It is read, not memory-mapped: a file cut short meanwhile must not end the process.

    Raises:
        Refused: ``unreadable``.
    """

    def __init__(self, path: Path) -> None:
        # O_NONBLOCK: opening a pipe that somebody left in the folder must not wait for a writer.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise Refused(RefusalReason.UNREADABLE, "This is not a regular file.")
        self.size = status.st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """See ``ByteSource``."""
        count = max(0, min(count, self.size - offset))
        chunk = os.pread(self._descriptor, count, offset)
        if len(chunk) == count or not chunk:
            return chunk
        parts = [chunk]  # a network file system may hand out less than was asked for
        while chunk and count > sum(map(len, parts)):
            done = sum(map(len, parts))
            chunk = os.pread(self._descriptor, count - done, offset + done)
            parts.append(chunk)
        return b"".join(parts)

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        os.close(self._descriptor)


def open_source(source: Path | bytes | BinaryIO, limits: Limits) -> MemorySource | FileSource:
    """A context manager that gives a ``ByteSource`` over ``source``.

    Raises:
        Refused: ``unreadable`` (missing, a folder, no permission, I/O fault) or ``too-large`` (a stream).
    """
    try:
        if isinstance(source, (bytes, bytearray, memoryview)):
            return MemorySource(bytes(source))
        if isinstance(source, (str, os.PathLike)):
            return FileSource(Path(source))
        data = source.read(limits.file_bytes + 1)
    except (OSError, ValueError):
        raise Refused(RefusalReason.UNREADABLE, "The file can't be opened or read.") from None
    if len(data) > limits.file_bytes:
        raise Refused(RefusalReason.TOO_LARGE, "The file is larger than the reader accepts.")
    return MemorySource(data)
