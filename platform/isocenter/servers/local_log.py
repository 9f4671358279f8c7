"""The logs of a local endpoint: readable by its owner only, of bounded size."""

import io
import os
import shutil
from contextlib import suppress
from pathlib import Path

_LARGEST_LOG = 16 << 20


def open_log(log: Path) -> io.FileIO:
    """``log``, to append to."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stream = os.fdopen(descriptor, "ab", buffering=0)
    os.fchmod(descriptor, 0o600)  # it may be of a time when it wasn't
    return stream


def bound_log(log: Path) -> None:
    """Keep two logs of bounded size.

    It is emptied in its place, since processes that append to it go on.
    """
    if log.is_file() and log.stat().st_size > _LARGEST_LOG:
        with suppress(OSError):  # where the disk is full, room counts for more
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
