"""The file system of a URI, with the credentials that the service gives its jobs, and faults explained."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IntegrityError,
    IsocenterError,
    TransientFaultError,
)
from isocenter_training.signals import Stopped

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_Result = TypeVar("_Result")
_GCS_MOUNT = "/gcs"
_WAITS_S = (0.5, 2.0, 8.0)


class Place:
    """A folder at a URI.

    Args:
        uri: ``s3://``, ``gs://``, ``abfss://`` or ``file://``.
        mounted: read a bucket of gs:// where Vertex AI has mounted it, under /gcs ($ISOCENTER_GCS_ROOT).

    Credentials come from the SDKs' standard chains; emulated services by the SDKs' own variables:
    AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST, AZURE_STORAGE_CONNECTION_STRING.

    Raises:
        EnvironmentFaultError: the scheme's file system isn't installed.
        InputError: no such scheme.
    """

    def __init__(self, uri: str, *, mounted: bool = False) -> None:
        self.uri = uri.rstrip("/")
        self._files, self._root = _file_system((_mount(self.uri) if mounted else "") or self.uri)

    def list(self) -> Mapping[str, str]:
        """Each file's relative path and what tells its versions apart (size, and a tag where there is one).

        Raises:
            IntegrityError: a path leads out of the folder, or is a symbolic link.
        """
        found = self._explained(lambda: self._files.find(self._root, detail=True))
        return {self._relative(path, entry): _version(entry) for path, entry in sorted(found.items())}

    def get(self, name: str, path: Path) -> None:
        """Copy the file ``name`` to ``path``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._explained(lambda: self._files.get_file(f"{self._root}/{name}", str(path)))

    def put(self, path: Path, name: str) -> None:
        """Copy the file at ``path`` to ``name``."""
        self._explained(lambda: self._files.put_file(str(path), f"{self._root}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Write the file ``name``, whole or not at all."""
        path = f"{self._root}/{name}"
        if "file" in self._files.protocol:  # the others' objects appear when they are whole
            self._explained(lambda: self._files.pipe_file(f"{path}.new", data))
            self._explained(lambda: Path(f"{path}.new").replace(path))
        else:
            self._explained(lambda: self._files.pipe_file(path, data))

    def read(self, name: str) -> bytes | None:
        """The file ``name``; None when there is none."""
        try:
            data: bytes = self._explained(lambda: self._files.cat_file(f"{self._root}/{name}"))
        except InputError:
            return None
        return data

    def remove(self, name: str) -> None:
        """Remove the file or folder ``name``, where that is allowed."""
        try:
            self._files.rm(f"{self._root}/{name}", recursive=True)
        except Exception:  # left-overs cost little; a role may well be allowed to write but not to delete
            return

    def _relative(self, path: str, entry: Mapping[str, Any]) -> str:
        name = path.removeprefix(self._root).lstrip("/")
        parts = PurePosixPath(name).parts
        if not name or ".." in parts or "\\" in name or entry.get("islink") or entry.get("type") == "link":
            raise IntegrityError(f"{self.uri} has a file that leads out of its folder.")
        return name

    def _explained(self, action: Callable[[], _Result]) -> _Result:
        """The action's result; what may pass is tried again."""
        for wait_s in (*_WAITS_S, None):
            try:
                return action()
            except (IsocenterError, Stopped):
                raise
            except FileNotFoundError as error:
                raise InputError(f"There is nothing at {self.uri}.") from error
            except PermissionError as error:
                raise EnvironmentFaultError(
                    f"The job may not use {self.uri}.",
                    hint="Its service identity lacks the right; ask whoever runs the deployment.",
                ) from error
            except Exception as error:  # each file system has errors of its own
                if wait_s is None:
                    raise TransientFaultError(
                        f"The storage of {self.uri} can't be reached: {type(error).__name__}.",
                        hint="Run the job again; it continues from its last checkpoint.",
                    ) from error
            time.sleep(wait_s or 0)
        raise AssertionError("unreachable")


def _file_system(uri: str) -> "tuple[AbstractFileSystem, str]":
    import fsspec

    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        return fsspec.filesystem("file", auto_mkdir=True), rest
    try:
        kind = _cloud_storage() if scheme == "gs" else fsspec.get_filesystem_class(scheme)
        files = kind(skip_instance_cache=True, use_listings_cache=False, **_options(scheme))
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The file system of {scheme}:// is not installed.",
            hint="pip install 'isocenter-training[storage]'",
        ) from error
    except ValueError as error:
        raise InputError(f"{scheme}:// is no kind of storage that can be used.") from error
    return files, str(files._strip_protocol(uri)).rstrip("/")


def _cloud_storage() -> "type[AbstractFileSystem]":
    """What fsspec has for gs:// asks a gRPC service for each bucket's kind; ours are flat."""
    from gcsfs.core import GCSFileSystem

    return GCSFileSystem  # type: ignore[no-any-return]


def _mount(uri: str) -> str:
    """``uri`` as file://, where its bucket is mounted; empty where it isn't."""
    scheme, _, path = uri.partition("://")
    root = Path(os.environ.get("ISOCENTER_GCS_ROOT") or _GCS_MOUNT)
    is_there = scheme == "gs" and (root / path.partition("/")[0]).is_dir()
    return f"file://{root / path}" if is_there else ""


def _options(scheme: str) -> dict[str, Any]:
    match scheme:
        case "gs" if os.environ.get("STORAGE_EMULATOR_HOST"):
            return {"token": "anon"}
        case "abfs" | "abfss":
            # adlfs takes an account without a key for a public one otherwise.
            return {} if os.environ.get("AZURE_STORAGE_CONNECTION_STRING") else {"anon": False}
    return {}


def _version(entry: Mapping[str, Any]) -> str:
    tags = ("ETag", "etag", "md5Hash", "content_md5", "mtime")
    return f"{entry.get('size')} {next((str(entry[tag]) for tag in tags if entry.get(tag)), '')}"


def files_under(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative path and path of each file, sorted.

    Raises:
        IntegrityError: a symbolic link is among them.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise IntegrityError("A symbolic link lies among the program's outputs.")
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path
