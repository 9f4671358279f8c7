"""Quotes in label tables that swallow rows: to a CSV reader legal text, to the user rows that are gone."""

import csv
import re
from collections.abc import Sequence

from isocenter.errors import InputError

_LINE_END = re.compile(r"\r\n|\r|\n")
_HINT = 'Close or remove the quote (") there. A quote that belongs to a text is doubled, and the text quoted.'


def check_quotes(raw: Sequence[str], first: int, cells: Sequence[str], delimiter: str, columns: int) -> None:
    """Refuse a row in which a quoted text has swallowed others.

    Text of several lines is fine, unless most of its lines look like rows.

    Args:
        raw: the lines of the file that became the row.
        first: number of the first of them, from 1.
        cells: the row.
        delimiter: what stands between cells.
        columns: how many cells the header has.

    Raises:
        InputError: a quoted text never ends, goes on after its end, or holds rows of the table; the message
            names the line where it begins.
    """
    begins = _first_lines(cells, first)
    if _is_open(raw, delimiter):
        raise _error(begins[-1], "never ends")
    if len(raw) == 1:
        return
    multiline = [index for index, cell in enumerate(cells) if _LINE_END.search(cell)]
    if not _is_strict(raw, delimiter):
        raise _error(begins[multiline[0]] if multiline else first, "ends in the middle of a cell")
    for index in multiline:
        start = begins[index] - first
        lines = raw[start : start + 1 + len(_LINE_END.findall(cells[index]))]
        if 2 * sum(_looks_like_row(line, delimiter, columns) for line in lines) > len(lines):
            raise _error(begins[index], f"runs over {len(lines)} lines that look like rows of the table")


def too_long(first: int) -> InputError:
    """The error for a row, beginning in line ``first``, that the CSV reader gives up on."""
    return _error(first, "is longer than any cell can be")


def _first_lines(cells: Sequence[str], first: int) -> list[int]:
    """The line of the file in which each cell begins."""
    begins = []
    for cell in cells:
        begins.append(first)
        first += len(_LINE_END.findall(cell))
    return begins


def _is_open(raw: Sequence[str], delimiter: str) -> bool:
    """Whether the reader would take a line more into the row."""
    reader = csv.reader([*raw, ""], delimiter=delimiter)
    next(reader)
    return reader.line_num > len(raw)


def _is_strict(raw: Sequence[str], delimiter: str) -> bool:
    """Whether each quote that closes a text is followed by a delimiter or the line's end."""
    try:
        next(csv.reader(raw, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _looks_like_row(line: str, delimiter: str, columns: int) -> bool:
    """Whether a line has as many delimiters as the header, and they are not the commas of a sentence."""
    cells = line.split(delimiter)
    return len(cells) == columns and not all(cell.startswith(" ") for cell in cells[1:])


def _error(line: int, what: str) -> InputError:
    return InputError(f"The quoted text that begins in line {line} of the labels file {what}.", hint=_HINT)
