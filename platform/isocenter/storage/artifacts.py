"""Content-addressed file sets: published once under their digest, read-only, never changed.

Layout: ``HOME/artifacts/sha256/ab/<64 hex>/`` holds the files and ``<64 hex>.json`` beside it their list
(``[path, size, digest]`` rows). The digest of that list is the artifact's digest, so the list proves itself.

With ``$ISOCENTER_ARTIFACTS_URL`` (``s3://``, ``gs://``, ``abfs://``, ``file://``) the same layout is kept
there too: what is published goes to both, and what is not here is fetched from there and checked.
"""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.digest import digest_bytes, digest_file
from isocenter.errors import InputError, IntegrityError, NotFoundError
from isocenter.home import Home
from isocenter.storage.artifact_files import FileList, differences, list_files, parse_file_list
from isocenter.storage.atomic import new_directory, write_bytes

if TYPE_CHECKING:
    from isocenter.storage.artifact_mirror import ArtifactMirror

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_READ_ONLY = 0o444
_RESTORE = "Restore it from a backup."
_ABANDONED_S = 24 * 3600


class ArtifactStore:
    """The artifacts of one store.

    Args:
        home: where they are kept.
    """

    def __init__(self, home: Home) -> None:
        self._root = home.artifacts
        self._mirror = _mirror()

    def publish(self, directory: Path, *, name: str, media_type: MediaType) -> Artifact:
        """Copy the files of ``directory`` into the store under their digest; safe to repeat and to race.

        Args:
            directory: its files are taken; empty directories are not.
            name: what the file set is to whoever made it, e.g. ``model``.
            media_type: what the files are.

        Raises:
            InputError: no such directory, no files, a link or device among them, a name that is no Unicode.
            IntegrityError: the files changed while they were copied, or the published ones are damaged.
            EnvironmentFaultError: the mirror can't be reached.
        """
        files, content = list_files(directory)
        digest = digest_bytes(content)
        target = self.place(digest)
        if target.is_dir():
            self.verify(digest)
        else:
            self._remove_abandoned()
            write_bytes(list_file(target), content, mode=_READ_ONLY)
            with new_directory(target) as temporary:
                _copy(directory, temporary, files)
        if self._mirror is not None:
            self._mirror.push(digest, target, content)
        return Artifact(name, digest, media_type, str(target), sum(row[1] for row in files))

    def path(self, digest: str) -> Path:
        """The directory of a published artifact; fetched from the mirror if it is not here.

        Raises:
            InputError: not a digest.
            NotFoundError: nothing is published under it.
            IntegrityError: what the mirror has is damaged.
            EnvironmentFaultError: the mirror can't be reached.
        """
        place = self.place(digest)
        if not place.is_dir() and not self._fetch(digest, place):
            raise NotFoundError(f"No artifact {digest} in this store.")
        return place

    def verify(self, digest: str) -> None:
        """Read all files of an artifact again and compare them with its digest.

        Raises:
            NotFoundError: nothing is published under it.
            IntegrityError: a file was changed, added or removed; the message names the first.
        """
        place = self.path(digest)
        try:
            published = parse_file_list(list_file(place).read_bytes(), digest)
        except (OSError, ValueError) as error:
            text = f"The file list of artifact {digest} is missing or was changed."
            raise IntegrityError(text, hint=_RESTORE) from error
        for problem in differences(place, published):
            raise IntegrityError(f"Artifact {digest} is damaged: {problem}.", hint=_RESTORE)

    def place(self, digest: str) -> Path:
        """Where the artifact of this digest is or would be.

        Raises:
            InputError: not a digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise InputError(f"{digest[:80]!r} is not a digest.", hint="sha256: and 64 hexadecimal digits.")
        name = digest.removeprefix("sha256:")
        return self._root / "sha256" / name[:2] / name

    def _fetch(self, digest: str, place: Path) -> bool:
        content = self._mirror.file_list(digest) if self._mirror is not None else None
        if self._mirror is None or content is None:
            return False
        write_bytes(list_file(place), content, mode=_READ_ONLY)
        with new_directory(place) as temporary:
            self._mirror.pull(digest, content, temporary)
            for file in temporary.rglob("*"):
                if file.is_file():
                    file.chmod(_READ_ONLY)
        return True

    def _remove_abandoned(self) -> None:
        """Remove what processes that were killed while they published have left, after a day."""
        for folder in self._root.glob("sha256/??/.tmp-*"):
            with suppress(FileNotFoundError):  # its process has just published it
                if time.time() - folder.lstat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)


def list_file(place: Path) -> Path:
    """The file list that belongs to the artifact at ``place``."""
    return place.with_name(place.name + ".json")


def _mirror() -> "ArtifactMirror | None":
    url = os.environ.get("ISOCENTER_ARTIFACTS_URL")
    if not url:
        return None
    from isocenter.storage.artifact_mirror import ArtifactMirror

    return ArtifactMirror(url)


def _copy(source: Path, target: Path, files: FileList) -> None:
    for name, _, digest in files:
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, destination, follow_symlinks=False)
        if destination.is_symlink() or digest_file(destination) != digest:
            raise IntegrityError(f"{name!r} changed while it was copied.", hint="Run the same command again.")
        destination.chmod(_READ_ONLY)
