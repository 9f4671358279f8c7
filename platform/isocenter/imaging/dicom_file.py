"""Open a DICOM file (PS3.10): preamble, file meta information, transfer syntax, and the data set's elements."""

import zlib
from dataclasses import dataclass
from itertools import takewhile

from isocenter.imaging.byte_source import ByteSource
from isocenter.imaging.data_elements import Element, Encoding, walk
from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused

PIXEL_DATA = 0x7FE00010
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
# Enough for the header of nearly every radiograph; where it isn't, the whole file is read.
HEAD = 1 << 18


@dataclass(frozen=True)
class DicomFile:
    """The parsed header of one file.

    Attributes:
        data: the bytes that ``elements`` point into: the head of the file, all of it, or what it inflated to.
        encoding: of the data set.
        elements: top-level elements before the pixel data, by tag.
        pixel_data: the PixelData element, where the file has one.
        transfer_syntax: UID; empty where the file doesn't tell.
        media_sop_class: (0002,0002); empty where absent.
        whole: ``data`` ends where the data set ends.
    """

    data: bytes
    encoding: Encoding
    elements: dict[int, Element]
    pixel_data: Element | None
    transfer_syntax: str
    media_sop_class: str
    whole: bool

    def value(self, tag: int) -> bytes:
        """The bytes of a top-level element; empty where it is absent or has no defined length."""
        element = self.elements.get(tag)
        if element is None or element.end > len(self.data):
            return b""
        return self.data[element.offset : element.end]


def open_dicom(source: ByteSource, limits: Limits) -> DicomFile:
    """Parse the header of ``source``.

    Raises:
        Refused: ``empty-file``, ``not-dicom``, ``truncated``, ``too-large``, ``decode-failed`` (deflate).
    """
    if source.size == 0:
        raise Refused(RefusalReason.EMPTY_FILE, "The file is empty.")
    head = source.read_at(0, HEAD)
    if head[128:132] != b"DICM":
        raise Refused(RefusalReason.NOT_DICOM, "This is not a DICOM file: the DICM mark is missing.")
    try:
        return _parse(head, source, limits)
    except _MoreNeeded:
        return _parse(_read_whole(source, limits), source, limits)


class _MoreNeeded(Exception):
    """The header goes on behind the part of the file that was read."""


def _parse(data: bytes, source: ByteSource, limits: Limits) -> DicomFile:
    whole = len(data) >= source.size
    try:
        start, meta = _file_meta(data)
        transfer_syntax, sop_class = _uid(data, meta.get(0x00020010)), _uid(data, meta.get(0x00020002))
        if transfer_syntax == DEFLATED:
            packed = data if whole else _read_whole(source, limits)
            data, start, whole = _inflate(packed[start:], limits.inflated_bytes), 0, True
        encoding = _encoding(data, start, transfer_syntax)
        elements, pixel_data = _top_level(data, start, encoding)
    except Refused as refusal:
        if refusal.reason is RefusalReason.TRUNCATED and not whole:
            raise _MoreNeeded from None
        raise
    if pixel_data is None and not whole:
        raise _MoreNeeded
    return DicomFile(data, encoding, elements, pixel_data, transfer_syntax, sop_class, whole)


def _read_whole(source: ByteSource, limits: Limits) -> bytes:
    if source.size > limits.file_bytes:
        raise Refused(RefusalReason.TOO_LARGE, "The file is larger than the reader accepts.")
    return source.read_at(0, source.size)


def _file_meta(data: bytes) -> tuple[int, dict[int, Element]]:
    """Where group 0002 (always explicit, little endian) ends, and its elements.

    The group length is not trusted: writers get it wrong.
    """
    meta: dict[int, Element] = {}
    end = 132
    elements = walk(data, end, len(data), Encoding(explicit=True, little=True))
    for element in takewhile(lambda e: e.tag >> 16 == 2, elements):
        meta[element.tag] = element
        end = element.end
    return end, meta


def _top_level(data: bytes, start: int, encoding: Encoding) -> tuple[dict[int, Element], Element | None]:
    elements: dict[int, Element] = {}
    for element in walk(data, start, len(data), encoding):
        if element.tag == PIXEL_DATA:
            return elements, element
        elements.setdefault(element.tag, element)
    return elements, None


def _encoding(data: bytes, start: int, transfer_syntax: str) -> Encoding:
    """By the transfer syntax; but whether VRs are written is seen in the first element itself.

    Some writers state one and do the other; a length of the first element that reads as two capital
    letters would have to be over 16,000.
    """
    vr = data[start + 4 : start + 6]
    return Encoding(explicit=vr.isalpha() and vr.isupper(), little=transfer_syntax != EXPLICIT_BIG)


def _uid(data: bytes, element: Element | None) -> str:
    return "" if element is None else data[element.offset : element.end].decode("latin-1").strip(" \0")


def _inflate(packed: bytes, limit: int) -> bytes:
    """PS3.5 section A.5: raw deflate; stops as soon as the result would pass ``limit``."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, limit)
    except zlib.error:
        raise Refused(RefusalReason.DECODE_FAILED, "The deflated data set can't be inflated.") from None
    if len(data) >= limit:
        raise Refused(RefusalReason.TOO_LARGE, "The deflated data set grows beyond what the reader accepts.")
    if not inflater.eof:
        raise Refused(RefusalReason.TRUNCATED, "The deflated data set ends early.")
    return data
