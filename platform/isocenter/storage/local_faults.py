"""Faults of this machine's own files, told apart from those of a service that is copied from or to."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from isocenter.errors import EnvironmentFaultError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# Never a service's: the libraries that talk to one use others (EACCES, EIO, EBUSY), without a file's name.
_ALWAYS_LOCAL = (*_FULL, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.EFBIG)


def local_fault(error: BaseException, place: Path) -> EnvironmentFaultError | None:
    """What was wrong with the files under ``place``; None where ``error`` is about something else.

    Args:
        error: that a copy from or to ``place`` ended with.
        place: a file or directory here.
    """
    for each in _chain(error):
        if isinstance(each, OSError):
            named = _under(each.filename, place)
            if named is not None or each.errno in _ALWAYS_LOCAL:
                return _told(each, named or place)
    return None


def _told(error: OSError, path: Path) -> EnvironmentFaultError:
    if error.errno in _FULL:
        return EnvironmentFaultError(
            f"The disk that holds {path} is full.",
            hint="Free some space there, then run the same command again: it continues.",
        )
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return EnvironmentFaultError(
        f"{path} can't be read or written: {why}.",
        hint="Mend that on this machine, then run the same command again: it continues.",
    )


def _under(filename: object, place: Path) -> Path | None:
    if not isinstance(filename, str | bytes):
        return None
    path = Path(os.fsdecode(filename))
    return path if path.is_relative_to(place) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
