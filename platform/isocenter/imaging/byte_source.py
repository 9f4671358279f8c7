"""Bytes to read from: a file, an open stream or memory; with a size, and never more than a limit of them."""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused

# Enough for the header of nearly every radiograph; where it isn't, the whole file is read.
HEAD = 1 << 18


class ByteSource(Protocol):
    """Random access to ``size`` bytes; a context manager that closes what it opened."""

    size: int

    def head(self) -> bytes:
        """The first bytes: as many as hold a usual header, or more where they cost nothing."""

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``; fewer where the source ends."""

    def __enter__(self) -> Self:
        """The source itself."""

    def __exit__(self, *error: object) -> None:
        """Close."""


class MemorySource:
    """Bytes that are in memory already."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def head(self) -> bytes:
        """All of it."""
        return self._data

    def read_at(self, offset: int, count: int) -> bytes:
        """See ``ByteSource``."""
        return self._data[offset : offset + count]

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""


class FileSource:
    """A regular file. It is read, not memory-mapped: a file cut short meanwhile must not end the process.

    Raises:
        OSError: it can't be opened.
        Refused: ``unreadable``: it is a folder, a pipe or a device.
    """

    def __init__(self, path: Path) -> None:
        # O_NONBLOCK: opening a pipe that somebody left in the folder must not wait for a writer.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise Refused(RefusalReason.UNREADABLE, "This is not a regular file.")
        self.size = status.st_size

    def head(self) -> bytes:
        """The first 256 KiB."""
        return self.read_at(0, HEAD)

    def read_at(self, offset: int, count: int) -> bytes:
        """See ``ByteSource``."""
        count = min(count, self.size - offset)
        parts: list[bytes] = []
        # A network file system may hand out less than was asked for.
        while count > 0 and (part := os.pread(self._descriptor, count, offset)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        os.close(self._descriptor)


def open_source(source: Path | bytes | BinaryIO, limits: Limits) -> ByteSource:
    """A context manager that gives random access to ``source``.

    Raises:
        Refused: ``unreadable`` (missing, no permission, not a regular file), ``too-large`` (a stream).
    """
    try:
        if isinstance(source, (bytes, bytearray, memoryview)):
            return MemorySource(bytes(source))
        if isinstance(source, (str, os.PathLike)):
            return FileSource(Path(source))
        data = source.read(limits.file_bytes + 1)
    except FileNotFoundError:
        raise Refused(RefusalReason.UNREADABLE, "The file does not exist.") from None
    except (OSError, ValueError):
        raise unreadable() from None
    if len(data) > limits.file_bytes:
        raise file_too_large()
    return MemorySource(data)


def unreadable() -> Refused:
    """The refusal of what the operating system doesn't let us read."""
    return Refused(RefusalReason.UNREADABLE, "The file can't be opened or read.")


def file_too_large() -> Refused:
    """The refusal of a file that is beyond ``Limits.file_bytes``."""
    return Refused(RefusalReason.TOO_LARGE, "The file is larger than the reader accepts.")
