"""What a compressed frame says of itself, read before any native decoder sees it.

A decoder allocates by the frame's own header; a frame that claims other dimensions than the data set does
must not reach it.
"""

import struct
from typing import NamedTuple

SOI, SOS, EOI = 0xD8, 0xDA, 0xD9
STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))
# ISO/IEC 10918-1 SOF0..SOF15 without DHT, JPG, DAC; ISO/IEC 14495-1 SOF55.
SOF = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}


class FrameHeader(NamedTuple):
    """Dimensions and sample format of a compressed frame."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    process: int = 0


def jpeg_header(frame: bytes) -> FrameHeader | None:
    """The start-of-frame of a JPEG or JPEG-LS stream; ``process`` is its marker. None: not readable."""
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in STANDALONE:
            at += 2
        elif marker in SOF:
            return _start_of_frame(frame, at, marker)
        elif marker in (SOS, EOI, SOI):
            return None
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _start_of_frame(frame: bytes, at: int, marker: int) -> FrameHeader | None:
    if at + 10 > len(frame):
        return None
    precision, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
    return FrameHeader(rows, columns, components, precision, signed=False, process=marker)


def jpeg2000_header(frame: bytes) -> FrameHeader | None:
    """The SIZ segment of a JPEG 2000 codestream (ISO/IEC 15444-1 A.5.1). None: not readable."""
    if frame[:4] != b"\xff\x4f\xff\x51" or len(frame) < 43:
        return None
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6L", frame, 8)
    components, depth = struct.unpack_from(">HB", frame, 40)
    if not (right > left and bottom > top and tile_width and tile_height):
        return None
    return FrameHeader(bottom - top, right - left, components, (depth & 0x7F) + 1, signed=bool(depth & 0x80))
