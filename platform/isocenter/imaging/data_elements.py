"""Walk the data elements of a DICOM data set held in memory (PS3.5 section 7).

Only positions are produced: no value is copied or converted, nothing recurses, and each step moves
forward, so any bytes cost time and memory in proportion to their length at most. pydicom's parser builds
objects of nested sequences, and warns and logs with text from the file and its path; here neither may
happen. The tests hold this walker against pydicom's on the same files.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from isocenter.imaging.refusal import RefusalReason, Refused

Buffer = bytes | memoryview
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# PS3.5 section 7.1.2: these have two reserved bytes and a 32-bit length.
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)


class Encoding(NamedTuple):
    """How elements are written: with explicit VR or not, least significant byte first or last."""

    explicit: bool
    little: bool


class Element(NamedTuple):
    """Where an element's value lies.

    Attributes:
        tag: group << 16 | element.
        vr: two letters; empty where the encoding doesn't tell.
        offset: of the value's first byte.
        length: of the value in bytes, or ``UNDEFINED``.
    """

    tag: int
    vr: bytes
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset behind the value; meaningless for an undefined length."""
        return self.offset + self.length

    def value(self, data: bytes) -> bytes:
        """The value's bytes; none for an undefined length."""
        return b"" if self.length == UNDEFINED else data[self.offset : self.end]


def truncated() -> Refused:
    """The refusal for data that end within an element."""
    return Refused(RefusalReason.TRUNCATED, "The file ends in the middle of its data.")


def walk(data: Buffer, start: int, end: int, encoding: Encoding) -> Iterator[Element]:
    """Yield the elements of the data set at ``data[start:end]``, without those inside of sequences.

    Ends at ``end`` or at an item delimiter. The consumer stops early by not asking for more.

    Raises:
        Refused: ``truncated``, when an element's header or value does not fit before ``end``.
    """
    at = start
    while at < end:
        element = read_element(data, at, encoding)
        if element.tag == ITEM_DELIMITER:
            return
        yield element
        at = _behind(data, element, encoding)
        if at > end:
            raise truncated()


def read_element(data: Buffer, at: int, encoding: Encoding) -> Element:
    """The element whose tag starts at ``at``.

    Inside of explicit VR data, an element without a VR of two capital letters is taken as implicit: items
    and delimiters are written so, and some writers do it within sequences.

    Raises:
        Refused: ``truncated``.
    """
    order = "<" if encoding.little else ">"
    try:
        group, number = struct.unpack_from(order + "HH", data, at)
        vr = bytes(data[at + 4 : at + 6])
        if encoding.explicit and group != 0xFFFE and vr.isalpha() and vr.isupper():
            if vr in LONG_VRS:
                return Element(group << 16 | number, vr, at + 12, _unsigned(data, at + 8, order + "L"))
            return Element(group << 16 | number, vr, at + 8, _unsigned(data, at + 6, order + "H"))
        return Element(group << 16 | number, b"", at + 8, _unsigned(data, at + 4, order + "L"))
    except struct.error:
        raise truncated() from None


def first_item(data: Buffer, sequence: Element, encoding: Encoding) -> Iterator[Element]:
    """The elements of the first item of ``sequence``; none where it has no item."""
    inner = _inside(sequence, encoding)
    if sequence.length == 0:
        return iter(())
    item = read_element(data, sequence.offset, inner)
    if item.tag != ITEM:
        return iter(())
    return walk(data, item.offset, len(data) if item.length == UNDEFINED else item.end, inner)


def items(data: Buffer, sequence: Element, encoding: Encoding) -> Iterator[Iterator[Element]]:
    """The elements of each item of ``sequence``, one iterator an item.

    Raises:
        Refused: ``truncated``, when an item does not fit into the sequence, or something else lies in it.
    """
    inner = _inside(sequence, encoding)
    end = len(data) if sequence.length == UNDEFINED else sequence.end
    at = sequence.offset
    while at < end:
        item = read_element(data, at, inner)
        if item.tag == SEQUENCE_DELIMITER and sequence.length == UNDEFINED:
            return
        at = _behind_item(data, item, inner)
        if item.tag != ITEM or at > end:
            raise truncated()
        yield walk(data, item.offset, at, inner)
    if sequence.length == UNDEFINED:
        raise truncated()


def _behind_item(data: Buffer, item: Element, encoding: Encoding) -> int:
    if item.length != UNDEFINED:
        return item.end
    at = item.offset
    while (element := read_element(data, at, encoding)).tag != ITEM_DELIMITER:
        at = _behind(data, element, encoding)
    return element.offset


def _behind(data: Buffer, element: Element, encoding: Encoding) -> int:
    """Offset of what follows ``element``; delimiters close what has no length of its own."""
    if element.length != UNDEFINED:
        return element.end
    open_sequences = [_inside(element, encoding)]
    at = element.offset
    while open_sequences:
        inner = read_element(data, at, open_sequences[-1])
        if inner.tag == SEQUENCE_DELIMITER:
            open_sequences.pop()
            at = inner.offset
        elif inner.length == UNDEFINED:
            if inner.tag != ITEM:
                open_sequences.append(_inside(inner, open_sequences[-1]))
            at = inner.offset
        else:
            at = inner.offset if inner.tag == ITEM_DELIMITER else inner.end
    return at


def _inside(sequence: Element, encoding: Encoding) -> Encoding:
    """Encoding of a sequence's items: implicit little endian where its VR is UN (PS3.5 section 6.2.2)."""
    return Encoding(explicit=False, little=True) if sequence.vr == b"UN" else encoding


def _unsigned(data: Buffer, at: int, layout: str) -> int:
    value: int = struct.unpack_from(layout, data, at)[0]
    return value
