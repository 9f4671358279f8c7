"""Files that are set aside: why, in a code and a sentence, under a keyed name."""

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.storage.atomic import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

FILE_NAME = "quarantine.parquet"


class Reason(StrEnum):
    """Why ingest sets a file aside, beside the reader's own refusals (``imaging.RefusalReason``)."""

    NO_LABEL = "no-label"
    LABEL_CONFLICT = "label-conflict"
    UID_CONFLICT = "uid-conflict"
    UNREADABLE = "unreadable"
    UNREADABLE_FOLDER = "unreadable-folder"
    SYMLINK_LOOP = "symlink-loop"
    BROKEN_LINK = "broken-link"
    NOT_A_FILE = "not-a-file"
    MISSING_FILE = "missing-file"
    OUTSIDE_SOURCE = "outside-source"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    CRASHED_READER = "crashed-reader"
    READER_DEFECT = "reader-defect"


SENTENCES: Mapping[Reason, str] = {
    Reason.NO_LABEL: "No label is known for this file.",
    Reason.LABEL_CONFLICT: "The same image, or the same row of the labels, has two different labels.",
    Reason.UID_CONFLICT: "Another file has the same SOP Instance UID and other pixels.",
    Reason.UNREADABLE: "The file can't be read: permission denied, or a fault of the disk.",
    Reason.UNREADABLE_FOLDER: "The folder can't be listed.",
    Reason.SYMLINK_LOOP: "The symbolic link leads back to a folder that it lies in.",
    Reason.BROKEN_LINK: "The symbolic link leads nowhere.",
    Reason.NOT_A_FILE: "A pipe, socket or device, not a file.",
    Reason.MISSING_FILE: "The DICOMDIR names this file, and it is not there.",
    Reason.OUTSIDE_SOURCE: "The DICOMDIR names a file outside of its folder.",
    Reason.OUT_OF_MEMORY: "Reading the file needs more memory than this machine has.",
    Reason.TIMED_OUT: "Reading the file took too long.",
    Reason.CRASHED_READER: "Reading the file killed the process that did it, twice.",
    Reason.READER_DEFECT: "The reader failed in a way it should not; please report it.",
}


@dataclass(frozen=True)
class Quarantined:
    """One file set aside.

    Args:
        source_key: pseudonym of the file's path below the source.
        reason: a code: ``Reason`` or ``imaging.RefusalReason``.
        sentence: the reason for a person, without patient data.
    """

    source_key: str
    reason: str
    sentence: str


def quarantined(source_key: str, reason: Reason) -> Quarantined:
    """A quarantine entry with the sentence that belongs to ``reason``."""
    return Quarantined(source_key, reason.value, SENTENCES[reason])


def count_reasons(entries: Iterable[Quarantined]) -> dict[str, int]:
    """How many files each reason set aside, the most frequent first."""
    counts = Counter(entry.reason for entry in entries)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def write_quarantine(folder: Path, entries: Sequence[Quarantined]) -> None:
    """Write ``quarantine.parquet`` into ``folder``, in one step."""
    import pyarrow.parquet as parquet

    ordered = sorted(entries, key=lambda entry: (entry.reason, entry.source_key))
    table = _schema().empty_table() if not ordered else _table(ordered)
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    write_bytes(folder / FILE_NAME, buffer.getvalue())


def read_quarantine(folder: Path) -> list[Quarantined]:
    """The entries of ``quarantine.parquet`` in ``folder``; none when there is no such file."""
    import pyarrow.parquet as parquet

    path = folder / FILE_NAME
    if not path.exists():
        return []
    return [Quarantined(**row) for row in parquet.read_table(path, schema=_schema()).to_pylist()]


def _table(entries: Sequence[Quarantined]) -> "pa.Table":
    import pyarrow as pa

    rows = [{"source_key": e.source_key, "reason": e.reason, "sentence": e.sentence} for e in entries]
    return pa.Table.from_pylist(rows, schema=_schema())


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in ("source_key", "reason", "sentence")])
