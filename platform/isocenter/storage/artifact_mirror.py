"""A second place for artifacts, anywhere that fsspec reaches: a bucket, or a directory on another disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.domain.digest import digest_file
from isocenter.errors import EnvironmentFaultError, IntegrityError
from isocenter.storage.artifact_files import FileList, parse_file_list


class ArtifactMirror:
    """Artifacts under a URL, in the layout of :class:`~isocenter.storage.artifacts.ArtifactStore`.

    An artifact is there once its file list is: that is written last.

    Args:
        url: e.g. ``s3://bucket/isocenter`` or ``file:///mnt/artifacts``.

    Raises:
        EnvironmentFaultError: no driver for this kind of URL.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            scheme = url.partition(":")[0]
            raise EnvironmentFaultError(
                f"ISOCENTER_ARTIFACTS_URL: no driver for {scheme!r}.",
                hint="Install its fsspec driver, e.g. pip install s3fs, gcsfs or adlfs.",
            ) from error
        self._root = root.rstrip("/")

    def push(self, digest: str, directory: Path, content: bytes) -> None:
        """Copy a published artifact there, unless it is there already.

        Args:
            digest: of the artifact.
            directory: its files here.
            content: its file list.

        Raises:
            EnvironmentFaultError: the place can't be reached or written.
        """
        place = self._place(digest)
        with _explained():
            if self._files.exists(f"{place}.json"):
                return
            for name, _, _ in parse_file_list(content, digest):
                self._write(f"{place}/{name}", directory / name)
            with self._files.transaction:
                self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
                with self._files.open(f"{place}.json", "wb") as stream:
                    stream.write(content)

    def file_list(self, digest: str) -> bytes | None:
        """The file list of an artifact; None if it is not there.

        Raises:
            IntegrityError: it is not the one that the digest names.
            EnvironmentFaultError: the place can't be reached.
        """
        with _explained():
            try:
                content: bytes = self._files.cat_file(f"{self._place(digest)}.json")
            except FileNotFoundError:
                return None
        _parsed(content, digest)
        return content

    def pull(self, digest: str, content: bytes, directory: Path) -> None:
        """Copy an artifact's files to ``directory`` and check each.

        Raises:
            IntegrityError: a file there is missing or damaged; the message names it.
            EnvironmentFaultError: the place can't be reached.
        """
        for name, _, file_digest in _parsed(content, digest):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with _explained():
                try:
                    self._files.get_file(f"{self._place(digest)}/{name}", str(target))
                except FileNotFoundError:
                    raise _damaged(digest, name) from None
            if digest_file(target) != file_digest:
                raise _damaged(digest, name)

    def _place(self, digest: str) -> str:
        name = digest.removeprefix("sha256:")
        return f"{self._root}/sha256/{name[:2]}/{name}"

    def _write(self, target: str, source: Path) -> None:
        self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        # A transaction: the file appears under its name when it is whole.
        with self._files.transaction, source.open("rb") as file, self._files.open(target, "wb") as stream:
            shutil.copyfileobj(file, stream, 1 << 20)


def _parsed(content: bytes, digest: str) -> FileList:
    try:
        return parse_file_list(content, digest)
    except ValueError as error:
        raise _damaged(digest, "the file list") from error


def _damaged(digest: str, name: str) -> IntegrityError:
    return IntegrityError(f"The mirror's copy of artifact {digest} is damaged: {name!r}.")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EnvironmentFaultError(
            f"The artifacts at ISOCENTER_ARTIFACTS_URL can't be reached: {reason}.",
            hint="Check the URL and the credentials for it.",
        ) from error
