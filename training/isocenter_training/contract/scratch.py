"""A folder that the processes of a job on one machine share, and that the last of them removes."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from isocenter.errors import EnvironmentFaultError

_HINT = "Set ISOCENTER_SCRATCH to a folder with room for the inputs."


@contextmanager
def scratch_folder(path: Path) -> Iterator[AbstractContextManager[None]]:
    """Make the folder, readable by this user only, and remove it when nobody uses it any more.

    Yields:
        A block in which one process at a time is.

    Raises:
        EnvironmentFaultError: it belongs to somebody else or can't be made.
    """
    users = _hold(path)
    try:
        yield _alone(path / ".turn")
    finally:
        try:
            # Asking for the whole gives up our own share, so of several that leave at once the last gets it.
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(users)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _hold(path: Path) -> int:
    """An open file in the folder, locked shared: the folder stays as long as somebody holds it."""
    while True:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                raise EnvironmentFaultError("The scratch folder belongs to somebody else.", hint=_HINT)
            users = _open(path / ".users")
        except FileNotFoundError:  # removed just now by the last one that used it
            continue
        except OSError as error:
            raise EnvironmentFaultError(
                f"The scratch folder can't be used: {error.strerror}.", hint=_HINT
            ) from error
        fcntl.flock(users, fcntl.LOCK_SH)
        if os.fstat(users).st_nlink:
            return users
        os.close(users)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
