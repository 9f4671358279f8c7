"""Captured features to the target's bucket, whole or not at all, and gone here only when they are there."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import TransientFaultError
from isocenter.targets.file_system import target_files

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from isocenter.targets.descriptor import DeploymentDescriptor


def features_place(descriptor: "DeploymentDescriptor", endpoint: str) -> str:
    """Where the features of an endpoint lie on its target: one file of JSON lines a segment."""
    return f"{descriptor.buckets['data'].rstrip('/')}/captures/{endpoint}"


def ship_features(paths: Iterable[Path], endpoint: str, descriptor: "DeploymentDescriptor") -> int:
    """Move files of features to the target; how many went.

    A file's name is unique and its content final: one that was shipped before a kill is only removed here.

    Args:
        paths: files that their serving programs are done with.
        endpoint: whose they are.
        descriptor: of the target, which has a bucket for data.

    Raises:
        TransientFaultError: the target's storage can't be reached.
        EnvironmentFaultError: its file system isn't installed.
    """
    place = features_place(descriptor, endpoint)
    files = target_files(descriptor, place)
    shipped = 0
    for path in paths:
        try:
            size = path.stat().st_size
            if size and _size(files, f"{place}/{path.name}") != size:
                _put(files, path, f"{place}/{path.name}", size)
            path.unlink()
        except FileNotFoundError:  # the spool made room for newer ones
            continue
        shipped += bool(size)
    return shipped


def _put(files: "AbstractFileSystem", path: Path, uri: str, size: int) -> None:
    """Objects appear in a bucket whole; a file of a mounted share is written beside its name first."""
    folder, _, name = uri.rpartition("/")
    is_share = uri.startswith("file://")
    written = f"{folder}/.tmp-{name}" if is_share else uri
    try:
        files.put_file(str(path), written)
        if is_share:
            files.mv(written, uri)
    except FileNotFoundError:
        if not path.exists():
            raise
        raise _unreachable("a place in it is missing") from None
    except Exception as error:  # each cloud's file system has errors of its own
        raise _unreachable(type(error).__name__) from error
    if _size(files, uri) != size:
        raise _unreachable("a file came out shorter than it is")


def _size(files: "AbstractFileSystem", uri: str) -> int | None:
    files.invalidate_cache()
    try:
        return int(files.info(uri)["size"])
    except FileNotFoundError:
        return None
    except Exception as error:
        raise _unreachable(type(error).__name__) from error


def _unreachable(why: str) -> TransientFaultError:
    return TransientFaultError(
        f"Captured features can't be shipped to the target's bucket: {why}.",
        hint="They stay on this machine, within their bound. isocenter target check says what is wrong.",
    )
