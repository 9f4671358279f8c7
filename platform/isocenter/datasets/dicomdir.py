"""DICOMDIR: the index of a DICOM medium (PS3.3 Annex F, PS3.10 section 8) and the files that it names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocenter.datasets.quarantine import Reason
from isocenter.datasets.sources import Problem, SourceFile

_INACTIVE = 0


def find_dicomdir(folder: Path) -> Path | None:
    """The file named DICOMDIR (in any case) directly in ``folder``, if there is one."""
    try:
        names = (path for path in folder.iterdir() if path.name.upper() == "DICOMDIR" and path.is_file())
        return next(names, None)
    except OSError:
        return None


def referenced_files(dicomdir: Path) -> list[SourceFile | Problem] | None:
    """What ``dicomdir`` references: files that are there, and problems for the others.

    Returns:
        None when the file is no readable DICOMDIR.
    """
    import warnings

    import pydicom

    # What pydicom warns about and logs (odd values) doesn't matter here, and its text may hold patient data.
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            index = pydicom.dcmread(dicomdir)
            names = list(_file_ids(index.DirectoryRecordSequence))
        except Exception:  # pydicom raises many kinds on a damaged file
            return None
    listings: dict[Path, dict[str, str]] = {}
    return [_look_up(dicomdir.parent, parts, listings) for parts in dict.fromkeys(names)]


def _file_ids(records: Any) -> Iterator[tuple[str, ...]]:
    for record in records:
        parts = record.get("ReferencedFileID")
        if parts and record.get("RecordInUseFlag") != _INACTIVE:
            yield (parts,) if isinstance(parts, str) else tuple(map(str, parts))


def _look_up(
    root: Path, parts: tuple[str, ...], listings: dict[Path, dict[str, str]]
) -> SourceFile | Problem:
    relative = "/".join(parts)
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return Problem(relative, Reason.OUTSIDE_SOURCE)
    path = root
    for part in parts:
        path = _child(path, part, listings)
    try:
        if not path.resolve().is_relative_to(root):
            return Problem(relative, Reason.OUTSIDE_SOURCE)
        status = path.stat()
    except OSError:
        return Problem(relative, Reason.MISSING_FILE)
    found = path.relative_to(root).as_posix()
    if not path.is_file():
        return Problem(found, Reason.NOT_A_FILE)
    return SourceFile(found, status.st_size, status.st_mtime_ns)


def _child(folder: Path, name: str, listings: dict[Path, dict[str, str]]) -> Path:
    """``folder/name``; in other case where the medium was mounted or copied so."""
    if folder not in listings:
        entries = folder.iterdir() if folder.is_dir() else iter(())
        listings[folder] = {entry.name.upper(): entry.name for entry in entries}
    exact = folder / name
    return exact if exact.exists() else folder / listings[folder].get(name.upper(), name)
