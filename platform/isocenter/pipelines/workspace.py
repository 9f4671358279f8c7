"""A scratch directory for one step, named by its key, so that a re-run sweeps what a kill left."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.home import Home
from isocenter.storage.local_faults import local_fault


@contextmanager
def workspace(home: Home, key: str) -> Iterator[Path]:
    """An empty directory in the store, removed afterwards.

    Args:
        home: the store.
        key: of the step; its lock keeps others out.

    Raises:
        EnvironmentFaultError: the disk that holds the store is full, or the store can't be written.
    """
    folder = home.root / "work" / key.removeprefix("sha256:")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        fault = local_fault(error, home.root)
        if fault is None:
            raise
        raise fault from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
