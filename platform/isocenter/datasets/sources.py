"""What lies under a source folder: regular files, and entries that can't be read, without opening any."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isocenter.datasets.quarantine import Reason
from isocenter.errors import InputError

# What operating systems and disc writers leave behind; never images.
_JUNK_FILES = frozenset(
    {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "autorun.inf", "dicomdir", ".localized"}
)
_JUNK_FOLDERS = frozenset(
    {
        "__macosx",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        ".git",
        ".trashes",
        ".spotlight-v100",
        ".fseventsd",
    }
)
_APPLE_DOUBLE = "._"
_SOURCE = "the source (SRC of `data ingest`, --data of `pipeline run`)"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file under the source.

    Args:
        relative: path below the source, ``/`` between parts; bytes that are no UTF-8 as lone surrogates.
        size: bytes.
        mtime_ns: time of last change.
    """

    relative: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry under the source that can't be read as a file."""

    relative: str
    reason: Reason


@dataclass(frozen=True)
class SourceTree:
    """All that a source holds.

    Args:
        root: the folder, absolute, links resolved.
        files: sorted by path.
        problems: sorted by path.
    """

    root: Path
    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]


def survey(source: Path, *, leave_out: Path | None = None) -> SourceTree:
    """List what ``source`` holds: all files below a folder, or what a DICOMDIR names.

    A DICOMDIR inside of a folder is left alone: an index may be older than what lies beside it, and must not
    hide it. Links to folders are followed once; loops, pipes, unreadable folders, and files that the index
    names and that are not there, become problems.

    Args:
        source: folder or DICOMDIR.
        leave_out: a file that is not an image, e.g. the labels.

    Raises:
        InputError: ``source`` doesn't exist, is neither of the two, holds no file, or is an index that can't
            be read to its end.
    """
    root, index = _resolve(source)
    return _without(_collect(root, _indexed(index) if index else _walk(root)), leave_out)


def _indexed(index: Path) -> Iterator[SourceFile | Problem]:
    from isocenter.datasets.dicomdir import referenced_files

    yield from referenced_files(index)


def _resolve(source: Path) -> tuple[Path, Path | None]:
    try:
        path = source.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            "The source does not exist or can't be reached.", hint=f"Check the path of {_SOURCE}."
        ) from error
    if path.is_dir():
        return path, None
    if path.is_file() and path.name.upper() == "DICOMDIR":
        return path.parent, path
    raise InputError("The source is a file.", hint=f"Give as {_SOURCE} a folder, or a file named DICOMDIR.")


def _without(tree: SourceTree, leave_out: Path | None) -> SourceTree:
    left_out = leave_out.resolve() if leave_out else None
    below = (
        left_out.relative_to(tree.root).as_posix()
        if left_out and left_out.is_relative_to(tree.root)
        else None
    )
    files = tuple(file for file in tree.files if file.relative != below)
    if files or any(problem.reason != Reason.UNREADABLE_FOLDER for problem in tree.problems):
        return SourceTree(tree.root, files, tree.problems)
    if tree.problems:
        raise InputError("The source can't be listed.", hint=f"Check the permissions of {_SOURCE}.")
    raise InputError("The source holds no files.", hint=f"Check the path of {_SOURCE}.")


def _collect(root: Path, entries: Iterator[SourceFile | Problem]) -> SourceTree:
    files: list[SourceFile] = []
    problems: list[Problem] = []
    for entry in entries:
        if isinstance(entry, SourceFile):
            files.append(entry)
        else:
            problems.append(entry)
    files.sort(key=lambda file: os.fsencode(file.relative))
    problems.sort(key=lambda problem: os.fsencode(problem.relative))
    return SourceTree(root, tuple(files), tuple(problems))


def _walk(root: Path) -> Iterator[SourceFile | Problem]:
    """Real folders first, links to folders after them: a folder inside of the tree goes by its own name."""
    seen: set[tuple[int, int]] = set()
    folders, links = [""], list[str]()
    while folders or links:
        relative = folders.pop() if folders else links.pop()
        try:
            status = (root / relative).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(root / relative), key=lambda entry: entry.name)
        except OSError:
            yield Problem(relative or ".", Reason.UNREADABLE_FOLDER)
            continue
        for entry in entries:
            name = f"{relative}/{entry.name}" if relative else entry.name
            found = _classify(root, name, entry)
            if isinstance(found, SourceFile | Problem):
                yield found
            elif found is not None:
                (links if found == "link" else folders).append(name)


def _classify(root: Path, name: str, entry: os.DirEntry[str]) -> SourceFile | Problem | str | None:
    """A file, a problem, ``"folder"`` or ``"link"`` (to a folder) to go into, or None for junk."""
    try:
        is_link, status = entry.is_symlink(), entry.stat()
    except OSError as error:
        return Problem(name, _stat_failure(entry, error))
    if stat.S_ISDIR(status.st_mode):
        if entry.name.lower() in _JUNK_FOLDERS:
            return None
        if is_link and _leads_back(root / name):
            return Problem(name, Reason.SYMLINK_LOOP)
        return "link" if is_link else "folder"
    if entry.name.lower() in _JUNK_FILES or entry.name.startswith(_APPLE_DOUBLE):
        return None
    if not stat.S_ISREG(status.st_mode):
        return Problem(name, Reason.NOT_A_FILE)
    return SourceFile(name, status.st_size, status.st_mtime_ns)


def _stat_failure(entry: os.DirEntry[str], error: OSError) -> Reason:
    import errno

    if error.errno == errno.ELOOP:
        return Reason.SYMLINK_LOOP
    return Reason.BROKEN_LINK if isinstance(error, FileNotFoundError) else Reason.UNREADABLE


def _leads_back(link: Path) -> bool:
    """Whether a link to a folder leads to one that the link lies in."""
    return link.parent.resolve().is_relative_to(link.resolve())
