"""Content-addressed file sets: published once under their digest, read-only, never changed.

Layout: ``HOME/artifacts/sha256/ab/<64 hex>/`` holds the files and ``<64 hex>.json`` beside it their list
(``[path, size, digest]`` rows). The digest of that list is the artifact's digest, so the list proves itself.
"""

import json
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.digest import canonical_json, digest_file, digest_json, list_tree
from isocenter.errors import InputError, IntegrityError, NotFoundError
from isocenter.home import Home
from isocenter.storage.atomic import new_directory, write_bytes

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_READ_ONLY = 0o444
_RESTORE = "Restore it from a backup."

FileList = list[list[Any]]
"""``[relative POSIX path, size in bytes, digest]`` of each file, sorted by path."""


class ArtifactStore:
    """The artifacts of one store.

    Args:
        home: where they are kept.
    """

    def __init__(self, home: Home) -> None:
        self._root = home.artifacts

    def publish(self, directory: Path, *, name: str, media_type: MediaType) -> Artifact:
        """Copy the files of ``directory`` into the store under their digest; safe to repeat and to race.

        Args:
            directory: its files are taken; empty directories are not.
            name: what the file set is to whoever made it, e.g. ``model``.
            media_type: what the files are.

        Raises:
            InputError: no such directory, no files, or a link or device among them.
            IntegrityError: the files changed while they were copied, or the published ones are damaged.
        """
        files = _list_plain_files(directory)
        digest = digest_json(files)
        target = self.place(digest)
        if target.is_dir():
            self.verify(digest)
        else:
            write_bytes(_list_file(target), canonical_json(files), mode=_READ_ONLY)
            with new_directory(target) as temporary:
                _copy(directory, temporary, files)
        return Artifact(name, digest, media_type, str(target), sum(row[1] for row in files))

    def path(self, digest: str) -> Path:
        """The directory of a published artifact.

        Raises:
            InputError: not a digest.
            NotFoundError: nothing is published under it here.
        """
        place = self.place(digest)
        if not place.is_dir():
            raise NotFoundError(f"No artifact {digest} in this store.")
        return place

    def verify(self, digest: str) -> None:
        """Read all files of an artifact again and compare them with its digest.

        Raises:
            NotFoundError: nothing is published under it here.
            IntegrityError: a file was changed, added or removed; the message names the first.
        """
        place = self.path(digest)
        published = _read_list(place, digest)
        for problem in _differences(place, published):
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


def _list_file(place: Path) -> Path:
    return place.with_name(place.name + ".json")


def _list_plain_files(directory: Path) -> FileList:
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
    return files


def _copy(source: Path, target: Path, files: FileList) -> None:
    for name, _, digest in files:
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, destination, follow_symlinks=False)
        destination.chmod(_READ_ONLY)
        if destination.is_symlink() or digest_file(destination) != digest:
            raise IntegrityError(f"{name!r} changed while it was copied.", hint="Run the same command again.")


def _read_list(place: Path, digest: str) -> FileList:
    try:
        files: FileList = json.loads(_list_file(place).read_bytes())
    except (OSError, ValueError):
        files = []
    if digest_json(files) != digest:
        text = f"The file list of artifact {digest} is missing or was changed."
        raise IntegrityError(text, hint=_RESTORE)
    return files


def _differences(place: Path, published: FileList) -> Iterator[str]:
    expected = {row[0]: row for row in published}
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
