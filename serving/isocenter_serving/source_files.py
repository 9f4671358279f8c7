"""The files that a user named, with the content of folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from isocenter.errors import InputError


def list_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file as given; for a folder, its files at any depth, sorted. Links to folders are not followed.

    Hidden files and DICOMDIR are left out of folders; a path that does not exist is kept, so that it is
    refused by name.

    Raises:
        InputError: there is no file at all.
    """
    empty = True
    for path in paths:
        for file in _walk(path) if path.is_dir() else (path,):
            empty = False
            yield file
    if empty:
        raise InputError("There are no files to predict in the given folders.")


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(parent, name)
