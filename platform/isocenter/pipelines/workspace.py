"""A scratch directory for one step, named by its key, so that a re-run sweeps what a kill left."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.home import Home


@contextmanager
def workspace(home: Home, key: str) -> Iterator[Path]:
    """An empty directory in the store, removed afterwards.

    Args:
        home: the store.
        key: of the step; its lock keeps others out.
    """
    folder = home.root / "work" / key.removeprefix("sha256:")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
