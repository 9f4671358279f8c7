"""Files that lie in a directory here or at a URI, as a step's container is told of them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from isocenter.errors import EnvironmentFaultError, InputError, IntegrityError
from isocenter.pipelines.staging import unpack
from isocenter.targets.file_system import EXTRAS
from isocenter.targets.storage_faults import storage_fault

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ARCHIVES = ("model.tar.gz", "output.tar.gz")
"""What SageMaker leaves in the place of a directory."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty directory, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        yield Path(folder)


def files_of(place: str, folder: Path) -> Path:
    """A directory of this machine with the files of ``place``.

    Args:
        place: a directory or a URI; a ``.tar.gz`` in the place of a directory is unpacked.
        folder: empty; may be written to.

    Raises:
        InputError: nothing is there.
        IntegrityError: an archive that can't be trusted.
        IsocenterError: the storage can't be reached, or denies it (:func:`storage_fault`).
    """
    here = Path(place)
    if "://" in place:
        here = folder / "fetched"
        _fetch(place, here)
    if here.is_file():
        return _unpacked(here, folder)
    found = sorted(here.iterdir()) if here.is_dir() else []
    if not found:
        raise InputError(f"There is nothing at {place}.")
    if len(found) == 1 and found[0].name in _ARCHIVES:
        return _unpacked(found[0], folder)
    return here


def put_files(source: Path, place: str, last: str) -> None:
    """Copy the files under ``source`` to ``place``.

    Args:
        source: a directory.
        place: a directory or a URI.
        last: the file that is written last: where it is, the others are.

    Raises:
        IsocenterError: the storage can't be reached, or denies it (:func:`storage_fault`).
    """
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    names.sort(key=lambda name: name.as_posix() == last)
    if "://" not in place:
        for name in names:
            target = Path(place) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
        return
    files, root = _open(place)
    try:
        for name in names:
            files.put_file(str(source / name), f"{root}/{name.as_posix()}")
    except Exception as error:  # each file system has errors of its own
        raise storage_fault(error, place, place.partition("://")[0]) from error


def _unpacked(archive: Path, folder: Path) -> Path:
    target = folder / "unpacked"
    target.mkdir(parents=True)
    unpack(archive, target)
    return target


def _fetch(place: str, target: Path) -> None:
    files, root = _open(place)
    try:
        if not files.isdir(root) and files.exists(root):
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(root, str(target))
            return
        found = files.find(root)
    except Exception as error:  # each file system has errors of its own
        raise storage_fault(error, place, place.partition("://")[0]) from error
    for path in found:
        name = PurePosixPath(path.removeprefix(root).lstrip("/"))
        if ".." in name.parts:
            raise IntegrityError(f"A file at {place} lies outside of its folder.")
        here = target / name
        here.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get_file(path, str(here))
        except Exception as error:  # each file system has errors of its own
            raise storage_fault(error, place, place.partition("://")[0]) from error


def _open(place: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of ``place``, with the credentials that the SDK's standard chain finds."""
    import fsspec

    scheme = place.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(place)
    except ImportError as error:
        hint = f"pip install 'isocenter[{EXTRAS[scheme]}]'" if scheme in EXTRAS else ""
        raise EnvironmentFaultError(f"The file system of {scheme}:// is not installed.", hint=hint) from error
    except ValueError as error:
        raise InputError(f"{place} is no place for files: {error}.") from error
    return files, root.rstrip("/")
