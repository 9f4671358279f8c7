"""The pixel cells of the one frame: native (PS3.5 section 8.1, A.1-A.3) or encapsulated (section A.4)."""

import numpy as np

from isocenter.imaging import codecs
from isocenter.imaging.byte_source import ByteSource, file_too_large
from isocenter.imaging.data_elements import (
    ITEM,
    SEQUENCE_DELIMITER,
    UNDEFINED,
    Element,
    Encoding,
    read_element,
    truncated,
)
from isocenter.imaging.dicom_file import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DicomFile
from isocenter.imaging.grayscale import Cells
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused

# One frame needs one; some writers cut it into pieces of a few KiB.
MOST_FRAGMENTS = 20_000
NATIVE = frozenset((IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED, ""))


def read_cells(
    file: DicomFile, pixel: ImagePixel, source: ByteSource, limits: Limits
) -> tuple[Cells, ImagePixel]:
    """The frame as unsigned pixel cells [rows, columns], and the layout of the values in them.

    The layout is ``pixel`` itself for native data; a codec may place the bits differently.

    Raises:
        Refused: ``no-pixel-data``, ``pixel-length-mismatch``, ``truncated``, ``too-large``,
            ``unsupported-transfer-syntax`` or ``decode-failed``.
    """
    element = file.pixel_data
    if element is None or element.length == 0:
        raise Refused(RefusalReason.NO_PIXEL_DATA, "The file holds no pixel data.")
    if file.transfer_syntax in NATIVE:
        return _native(file, element, pixel, source), pixel
    codecs.require_codec(file.transfer_syntax)
    if element.length != UNDEFINED:
        raise Refused(RefusalReason.DECODE_FAILED, "The compressed pixel data are not in fragments.")
    size = len(file.data) if file.whole else source.size
    if size > limits.file_bytes:
        raise file_too_large()
    frame = _frame(_bytes(file, source, element.offset, size - element.offset))
    return codecs.decode(file.transfer_syntax, frame, pixel)


def _native(file: DicomFile, element: Element, pixel: ImagePixel, source: ByteSource) -> Cells:
    expected = pixel.frame_bytes
    if element.length == UNDEFINED:
        raise Refused(
            RefusalReason.UNSUPPORTED_TRANSFER_SYNTAX,
            "The pixel data are compressed, but not by which method.",
        )
    # An even length is the rule; some writers leave the pad byte out.
    if element.length != expected + expected % 2 and not (
        element.length == expected and file.encoding.little
    ):
        raise Refused(
            RefusalReason.PIXEL_LENGTH_MISMATCH,
            f"The pixel data have {element.length} bytes; the header asks for {expected}.",
        )
    data = _bytes(file, source, element.offset, element.length)
    if len(data) < element.length:
        raise truncated()
    cells = _unpacked(data, pixel.bits_allocated, element.vr == b"OW", file.encoding)
    return cells[: pixel.rows * pixel.columns].reshape(pixel.rows, pixel.columns)


def _unpacked(data: memoryview, bits_allocated: int, words: bool, encoding: Encoding) -> Cells:
    order = "<u2" if encoding.little else ">u2"
    if bits_allocated == 16:
        return np.frombuffer(data, order)
    if words and not encoding.little:
        # Two cells a word, the first in its low byte (PS3.5 section 8.1.1).
        return np.frombuffer(data, order).astype("<u2").view(np.uint8)
    return np.frombuffer(data, np.uint8)


def _bytes(file: DicomFile, source: ByteSource, offset: int, count: int) -> memoryview:
    if file.whole:
        return memoryview(file.data)[offset : offset + count]
    return memoryview(source.read_at(offset, count))


def _frame(data: memoryview) -> bytes:
    """The frame's bytes: all fragments behind the Basic Offset Table, joined."""
    fragments = []
    at = 0
    little = Encoding(explicit=False, little=True)
    while at < len(data):
        item = read_element(data, at, little)
        if item.tag == SEQUENCE_DELIMITER:
            break
        if item.tag != ITEM or item.length == UNDEFINED:
            raise Refused(RefusalReason.DECODE_FAILED, "The fragments of the pixel data are malformed.")
        if item.end > len(data):
            raise truncated()
        fragments.append(data[item.offset : item.end])
        if len(fragments) > MOST_FRAGMENTS:
            raise Refused(RefusalReason.DECODE_FAILED, "The pixel data are in too many fragments.")
        at = item.end
    return b"".join(fragments[1:])
