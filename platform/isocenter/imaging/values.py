"""Element values from their bytes, by the value representation that the standard gives to the attribute.

The VR written in the file plays no part: it may be absent or UN.
"""

import math
import re
import struct

from isocenter.imaging.data_elements import Encoding
from isocenter.imaging.refusal import RefusalReason, Refused

# What an attribute is called in a refusal's sentence.
Name = str
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def bad_header(name: Name) -> Refused:
    """The refusal for an attribute that is missing or has a value that can't be meant."""
    return Refused(RefusalReason.BAD_HEADER, f"The header has no usable {name}.")


def words(value: bytes, encoding: Encoding, *, signed: bool = False) -> tuple[int, ...]:
    """US or SS values; an odd trailing byte is left out."""
    count = len(value) // 2
    return struct.unpack_from(f"{'<' if encoding.little else '>'}{count}{'h' if signed else 'H'}", value)


def word(value: bytes, encoding: Encoding, name: Name, *, default: int | None = None) -> int:
    """A US value.

    Raises:
        Refused: ``bad-header``: absent without a default, or more than one value.
    """
    if not value and default is not None:
        return default
    if len(value) != 2:
        raise bad_header(name)
    return words(value, encoding)[0]


def decimal(value: bytes, name: Name) -> float | None:
    """The first of the DS or IS values; None where absent.

    Raises:
        Refused: ``bad-header``: it is not a finite number.
    """
    text = ascii_text(value).split("\\")[0].strip()
    if not text:
        return None
    number = float(text) if NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(number):
        raise bad_header(name)
    return number


def ascii_text(value: bytes) -> str:
    """CS, UI, DA, AS, DS and IS bytes as text, without padding."""
    return value.decode("latin-1").strip(" \0\t\r\n")
