"""DICOMDIR: the index of a DICOM medium (PS3.3 Annex F, PS3.10 section 8) and the files that it names.

Read by our own walker and not by pydicom, which gives the records before a cut as if they were all.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from isocenter.datasets.quarantine import Reason
from isocenter.datasets.sources import Problem, SourceFile
from isocenter.errors import InputError
from isocenter.imaging.byte_source import open_source
from isocenter.imaging.data_elements import Element, items
from isocenter.imaging.dicom_file import DicomFile, open_dicom
from isocenter.imaging.limits import DEFAULT_LIMITS
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.tags import Tag

_INACTIVE = b"\0\0"
_HINT = "Give the folder that it lies in instead: then every file in it is looked at."


def referenced_files(dicomdir: Path) -> list[SourceFile | Problem]:
    """What ``dicomdir`` references: files that are there, and problems for the others.

    Raises:
        InputError: it can't be read, is no index, ends in the middle of its records, or names no file.
    """
    names = _names(dicomdir)
    if not names:
        raise InputError("The DICOMDIR names no file.", hint=_HINT)
    listings: dict[Path, dict[str, str]] = {}
    return [_look_up(dicomdir.parent, parts, listings) for parts in dict.fromkeys(names)]


def _names(dicomdir: Path) -> list[tuple[str, ...]]:
    try:
        with open_source(dicomdir, DEFAULT_LIMITS) as source:
            return list(_file_ids(open_dicom(source, DEFAULT_LIMITS)))
    except Refused as refusal:
        cut = refusal.reason is RefusalReason.TRUNCATED
        raise InputError(_CUT if cut else "The DICOMDIR can't be read.", hint=_HINT) from refusal


_CUT = "The DICOMDIR is cut off: it ends in the middle of its records, so it can't tell all files."


def _file_ids(index: DicomFile) -> Iterator[tuple[str, ...]]:
    """Parts of the path of each file that a record names.

    Raises:
        Refused: there are no records, or they end early.
    """
    records = index.elements.get(Tag.DIRECTORY_RECORD_SEQUENCE)
    if records is None:
        raise Refused(RefusalReason.BAD_HEADER, "The file is no DICOMDIR.")
    for record in items(index.data, records, index.encoding):
        by_tag = {element.tag: element for element in record}
        name = _value(index, by_tag, Tag.REFERENCED_FILE_ID)
        if name and _value(index, by_tag, Tag.RECORD_IN_USE_FLAG) != _INACTIVE:
            yield tuple(os.fsdecode(part).strip(" \0") for part in name.split(b"\\"))


def _value(index: DicomFile, record: Mapping[int, Element], tag: Tag) -> bytes:
    return record[tag].value(index.data).strip(b" ") if tag in record else b""


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
