"""A folder of blobs as a directory of this machine, as a job of Azure ML sees its inputs and outputs.

A mount is emulated by copies: what is there comes before the job starts, what the job changes goes back while
it runs and when it ends.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient


@dataclass(frozen=True)
class BlobFolder:
    """A container and a prefix in it, without slashes at its ends."""

    container: str
    prefix: str


@dataclass
class Mount:
    """One directory and the blobs it stands for.

    Args:
        blobs: where the blobs are kept.
        place: which of them.
        directory: of this machine.
    """

    blobs: BlobServiceClient
    place: BlobFolder
    directory: Path
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def fill(self) -> int:
        """Make the directory and copy the blobs into it; returns how many there were."""
        self.directory.mkdir(parents=True, exist_ok=True)
        container = self.blobs.get_container_client(self.place.container)
        count = 0
        for blob in container.list_blobs(name_starts_with=f"{self.place.prefix}/"):
            name = PurePosixPath(blob.name).relative_to(self.place.prefix)
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                container.download_blob(blob.name).readinto(stream)
            self._seen[name.as_posix()] = _state(path)
            count += 1
        return count

    def recall(self) -> None:
        """Learn what the blobs hold, after a restart: the directory is as the job left it."""
        container = self.blobs.get_container_client(self.place.container)
        for blob in container.list_blobs(name_starts_with=f"{self.place.prefix}/"):
            self._seen[PurePosixPath(blob.name).relative_to(self.place.prefix).as_posix()] = (-1, -1)

    def flush(self) -> None:
        """Copy what was changed since to the blobs, and delete there what was deleted here."""
        container = self.blobs.get_container_client(self.place.container)
        found = {path.relative_to(self.directory).as_posix(): path for path in self.directory.rglob("*")}
        files = {name: path for name, path in found.items() if path.is_file()}
        for name, path in files.items():
            try:
                state = _state(path)
                if self._seen.get(name) == state:
                    continue
                with path.open("rb") as stream:
                    container.upload_blob(f"{self.place.prefix}/{name}", stream, overwrite=True)
            except FileNotFoundError:  # renamed meanwhile; seen again at the next flush
                continue
            self._seen[name] = state
        for name in self._seen.keys() - files.keys():
            with suppress(ResourceNotFoundError):
                container.delete_blob(f"{self.place.prefix}/{name}")
            del self._seen[name]

    def remove(self) -> None:
        """Delete the directory; the blobs stay."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
