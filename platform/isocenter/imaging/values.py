"""Element values from their bytes, by the value representation that the standard gives to the attribute.

The VR written in the file plays no part: it may be absent or UN.
"""

import math
import re
import struct

from isocenter.imaging.data_elements import Encoding
from isocenter.imaging.refusal import RefusalReason, Refused

# Names for a refusal's sentence.
Name = str


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


def decimals(value: bytes) -> tuple[float, ...]:
    """DS or IS values; empty for an absent value.

    Raises:
        ValueError: a value is not a finite number.
    """
    text = ascii_text(value)
    if not text:
        return ()
    numbers = tuple(float(part) for part in text.split("\\"))
    if not all(map(math.isfinite, numbers)) or re.search(r"[^0-9eE+\-.\s\\]", text):
        raise ValueError("not a decimal string")
    return numbers


def decimal(value: bytes, name: Name) -> float | None:
    """The first DS or IS value; None where absent.

    Raises:
        Refused: ``bad-header``.
    """
    try:
        numbers = decimals(value)
    except ValueError:
        raise bad_header(name) from None
    return numbers[0] if numbers else None


def ascii_text(value: bytes) -> str:
    """CS, UI, DA, AS, DS and IS bytes as text, without padding."""
    return value.decode("latin-1").strip(" \0\t\r\n")
