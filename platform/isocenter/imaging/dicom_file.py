"""Open a DICOM file (PS3.10): preamble, file meta information, transfer syntax, and the data set's header."""

import zlib
from dataclasses import dataclass
from itertools import takewhile

from isocenter.imaging.byte_source import ByteSource, file_too_large
from isocenter.imaging.data_elements import Element, Encoding, walk
from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.tags import MEDIA_STORAGE_SOP_CLASS_UID, TRANSFER_SYNTAX_UID, WANTED, Tag
from isocenter.imaging.values import ascii_text

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
PREAMBLE = 128
FILE_META = PREAMBLE + 4


@dataclass(frozen=True, repr=False)
class DicomFile:
    """The parsed header of one file.

    Attributes:
        data: the bytes that ``elements`` point into: the head of the file, all of it, or what it inflated to.
        encoding: of the data set.
        elements: the wanted top-level elements before the pixel data, by tag.
        pixel_data: the PixelData element, where the file has one.
        transfer_syntax: UID; empty where the file doesn't tell.
        media_sop_class: (0002,0002); empty where absent.
        whole: ``data`` holds the data set to its end.
    """

    data: bytes
    encoding: Encoding
    elements: dict[int, Element]
    pixel_data: Element | None
    transfer_syntax: str
    media_sop_class: str
    whole: bool

    def value(self, tag: Tag) -> bytes:
        """The bytes of a top-level element; empty where it is absent or has no defined length."""
        element = self.elements.get(tag)
        return b"" if element is None else element.value(self.data)


class HeaderGoesOnError(Exception):
    """The header reaches beyond the part of the file that was read."""


def open_dicom(source: ByteSource, limits: Limits) -> DicomFile:
    """Parse the header of ``source``.

    Raises:
        Refused: ``empty-file``, ``not-dicom``, ``truncated``, ``too-large``, ``decode-failed`` (deflate).
    """
    if source.size == 0:
        raise Refused(RefusalReason.EMPTY_FILE, "The file is empty.")
    head = source.head()
    if head[PREAMBLE:FILE_META] != b"DICM":
        raise Refused(RefusalReason.NOT_DICOM, "This is not a DICOM file: the DICM mark is missing.")
    try:
        return _parse(head, source, limits)
    except HeaderGoesOnError:
        return _parse(_read_whole(source, limits), source, limits)


def _parse(data: bytes, source: ByteSource, limits: Limits) -> DicomFile:
    whole = len(data) >= source.size
    try:
        start, meta = _file_meta(data)
        transfer_syntax = _uid(data, meta.get(TRANSFER_SYNTAX_UID))
        if transfer_syntax == DEFLATED:
            packed = data if whole else _read_whole(source, limits)
            data, start, whole = _inflate(packed[start:], limits), 0, True
        encoding = _encoding(data, start, transfer_syntax)
        elements, pixel_data = _header(data, start, encoding)
    except Refused as refusal:
        if refusal.reason is RefusalReason.TRUNCATED and not whole:
            raise HeaderGoesOnError from None
        raise
    if pixel_data is None and not whole:
        raise HeaderGoesOnError
    sop_class = _uid(packed if transfer_syntax == DEFLATED else data, meta.get(MEDIA_STORAGE_SOP_CLASS_UID))
    return DicomFile(data, encoding, elements, pixel_data, transfer_syntax, sop_class, whole)


def _read_whole(source: ByteSource, limits: Limits) -> bytes:
    if source.size > limits.file_bytes:
        raise file_too_large()
    return source.read_at(0, source.size)


def _file_meta(data: bytes) -> tuple[int, dict[int, Element]]:
    """Where group 0002 (always explicit, little endian) ends, and its elements.

    The group length is not trusted: writers get it wrong.
    """
    meta: dict[int, Element] = {}
    end = FILE_META
    elements = walk(data, end, len(data), Encoding(explicit=True, little=True))
    for element in takewhile(lambda e: e.tag >> 16 == 2, elements):
        meta[element.tag] = element
        end = element.end
    return end, meta


def _header(data: bytes, start: int, encoding: Encoding) -> tuple[dict[int, Element], Element | None]:
    elements: dict[int, Element] = {}
    for element in walk(data, start, len(data), encoding):
        if element.tag == Tag.PIXEL_DATA:
            return elements, element
        if element.tag in WANTED:
            elements[element.tag] = element
    return elements, None


def _encoding(data: bytes, start: int, transfer_syntax: str) -> Encoding:
    """By the transfer syntax; but whether VRs are written is seen in the first element itself.

    Some writers state one and do the other, and the two can't be confused: a length that reads as two
    capital letters would be over 16,000, which no first element has.
    """
    vr = data[start + 4 : start + 6]
    return Encoding(explicit=vr.isalpha() and vr.isupper(), little=transfer_syntax != EXPLICIT_BIG)


def _uid(data: bytes, element: Element | None) -> str:
    return "" if element is None else ascii_text(element.value(data))


def _inflate(packed: bytes, limits: Limits) -> bytes:
    """PS3.5 section A.5: raw deflate; stops as soon as the result would pass the limit."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, limits.inflated_bytes)
    except zlib.error:
        raise Refused(RefusalReason.DECODE_FAILED, "The deflated data set can't be inflated.") from None
    if inflater.unconsumed_tail:
        raise Refused(RefusalReason.TOO_LARGE, "The deflated data set grows beyond what the reader accepts.")
    if not inflater.eof:
        raise Refused(RefusalReason.TRUNCATED, "The deflated data set ends early.")
    return data
