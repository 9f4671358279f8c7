"""Label tables as people export them: UTF-8, UTF-16 or cp1252; comma, semicolon or tab."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from isocenter.datasets.labels_quotes import check_quotes, too_long
from isocenter.errors import InputError

_MOST_BYTES = 512 << 20
_LABEL_COLUMNS = ("label", "class", "finding", "diagnosis", "target")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COLUMNS_HINT = (
    "Its first row must name a column SOPInstanceUID, StudyInstanceUID, AccessionNumber or PatientID, "
    "and a column label."
)


class Identifier(StrEnum):
    """What a row of labels may name, the most specific first."""

    SOP_INSTANCE_UID = "sopinstanceuid"
    STUDY_INSTANCE_UID = "studyinstanceuid"
    ACCESSION_NUMBER = "accessionnumber"
    PATIENT_ID = "patientid"


@dataclass(frozen=True, repr=False)
class LabelRow:
    """One row: what it names (patient data) and the text of its label."""

    kind: Identifier
    value: str
    label: str


def read_label_rows(path: Path) -> list[LabelRow]:
    """The rows of the label table at ``path`` that name something and have a label.

    A row that fills several identifier columns goes by the most specific.

    Raises:
        InputError: not there, not text, without the columns, or a quoted text swallows rows.
    """
    table = _cells(_decode(read_bytes(path)))
    header = [_plain(name) for name in next(table, [])]
    identifiers = [(kind, header.index(kind)) for kind in Identifier if kind in header]
    label = _label_column(header)
    if not identifiers or label is None:
        raise InputError("The labels file lacks a column.", hint=_COLUMNS_HINT)
    rows = list(_rows(table, identifiers, label))
    if not rows:
        raise InputError("The labels file holds no label.", hint="Each row needs an identifier and a label.")
    return rows


def read_bytes(path: Path) -> bytes:
    """The content of a label table.

    Raises:
        InputError: not there, not readable, or too large to be one.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("The labels file is larger than 512 MiB.", hint="Is this the right file?")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("The labels file does not exist.", hint="Check --labels.") from error
    except OSError as error:
        raise InputError(
            f"The labels file can't be read: {error.strerror}.", hint="Check --labels."
        ) from error


def _decode(data: bytes) -> str:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    # Without a mark: every second byte of mostly-ASCII UTF-16 is zero.
    head = data[:4096]
    if encoding is None and head[1::2].count(0) > len(head) // 4:
        encoding = "utf-16-le"
    elif encoding is None and head[::2].count(0) > len(head) // 4:
        encoding = "utf-16-be"
    for candidate in (encoding,) if encoding else ("utf-8", "cp1252"):
        try:
            text = data.decode(candidate)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError("The labels file is not text.", hint="Save it as CSV in UTF-8.")


def _cells(text: str) -> Iterator[list[str]]:
    """The cells of each row, the header's first."""
    delimiter, lines = _delimiter(text), list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=delimiter)
    columns, begin = 0, 0
    while begin < len(lines):
        try:
            cells = next(reader)
        except csv.Error as error:
            raise too_long(begin + 1) from error
        columns = columns or len(cells)
        if reader.line_num > begin + 1 or reader.line_num == len(lines):
            check_quotes(lines[begin : reader.line_num], begin + 1, cells, delimiter, columns)
        begin = reader.line_num
        yield cells


def _delimiter(text: str) -> str:
    """The delimiter that makes known column names of the first row."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    known = {*Identifier, *_LABEL_COLUMNS}

    def found(delimiter: str) -> int:
        return len(known.intersection(_plain(name.strip(' "\r')) for name in first.split(delimiter)))

    return max((",", ";", "\t", "|"), key=found)


def _label_column(header: Sequence[str]) -> int | None:
    return next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)


def _plain(name: str) -> str:
    """A column's name without case, spaces, underscores and hyphens."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _rows(
    reader: Iterator[list[str]], identifiers: Sequence[tuple[Identifier, int]], label: int
) -> Iterator[LabelRow]:
    for cells in reader:
        text = cells[label].strip() if label < len(cells) else ""
        named = ((kind, cells[column].strip()) for kind, column in identifiers if column < len(cells))
        chosen = next(((kind, value) for kind, value in named if value), None)
        if text and chosen:
            yield LabelRow(*chosen, text)
