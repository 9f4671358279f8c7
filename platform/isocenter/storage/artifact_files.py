"""The files of an artifact: listing what is to be published, and comparing what was published."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from isocenter.domain.digest import canonical_json, digest_bytes, digest_file, list_tree
from isocenter.errors import InputError

FileList = list[list[Any]]
"""``[relative POSIX path, size in bytes, digest]`` of each file, sorted by path."""


def list_files(directory: Path) -> tuple[FileList, bytes]:
    """The files under ``directory``, and the same as canonical JSON, whose digest names the artifact.

    Raises:
        InputError: no such directory, no files, a link or device among them, or a name that is no Unicode.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise InputError("What should be published is not a directory.")
    for entry in directory.rglob("*"):
        mode = entry.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            name = entry.relative_to(directory).as_posix()
            raise InputError(f"{name!r} is a link or a device; an artifact holds plain files only.")
    files = list_tree(directory)
    if not files:
        raise InputError("What should be published holds no files.")
    try:
        return files, canonical_json(files)
    except ValueError as error:
        raise InputError("A file's name is no valid Unicode; it can't be published.") from error


def parse_file_list(content: bytes, digest: str) -> FileList:
    """The file list in ``content``.

    Raises:
        ValueError: it is not the list that ``digest`` names, or a path in it leads outside.
    """
    if digest_bytes(content) != digest:
        raise ValueError("not the file list of this artifact")
    files: FileList = json.loads(content)
    for name, _, _ in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError("a path leads outside of the artifact")
    return files


def differences(place: Path, published: FileList) -> Iterator[str]:
    """What under ``place`` is not as it was published, one phrase each."""
    expected = {row[0] for row in published}
    for entry in sorted(place.rglob("*")):
        name = entry.relative_to(place).as_posix()
        if entry.is_dir() and not entry.is_symlink():
            continue
        if name not in expected:
            yield f"{name!r} was added"
        elif entry.is_symlink() or not entry.is_file():
            yield f"{name!r} is no longer a plain file"
    for name, size, digest in published:
        file = place / name
        if not file.is_file():
            yield f"{name!r} is missing"
        elif file.stat().st_size != size or digest_file(file) != digest:
            yield f"{name!r} was changed"
