"""What a compressed frame says of itself, read before any native decoder sees it.

A decoder allocates by the frame's own header, and some fill up what is missing at the end with grey. So a
frame that claims other dimensions than the data set, or lacks its end, must not reach it.
"""

import struct
from typing import NamedTuple

SOS, EOI = 0xDA, 0xD9
STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))
# ISO/IEC 10918-1: SOF0 baseline, SOF1 extended, SOF3 lossless; ISO/IEC 14495-1: SOF55, JPEG-LS.
# Progressive and arithmetic-coded streams have no transfer syntax that is still in use.
FRAMES = frozenset((0xC0, 0xC1, 0xC3, 0xF7))
OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - FRAMES - {0xC4, 0xC8, 0xCC}
END_MARKER = b"\xff\xd9"
START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
MOST_TILES = 65_535


class FrameHeader(NamedTuple):
    """Dimensions and sample precision of a compressed frame."""

    rows: int
    columns: int
    components: int
    precision: int


def jpeg_header(frame: bytes) -> FrameHeader | None:
    """The frame header of a JPEG or JPEG-LS stream; None: not readable, or the stream's end is missing."""
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in FRAMES:
            return _start_of_frame(frame, at)
        if marker in (SOS, EOI) or marker in OTHER_FRAMES:
            return None
        at += _segment_length(frame, at, marker)
    return None


def _segment_length(frame: bytes, at: int, marker: int) -> int:
    if marker == 0xFF:  # a fill byte
        return 1
    return 2 if marker in STANDALONE else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")


def _start_of_frame(frame: bytes, at: int) -> FrameHeader | None:
    # The end marker can't occur in entropy-coded data, so its last occurrence behind here is it.
    if at + 10 > len(frame) or frame.rfind(END_MARKER, at) < 0:
        return None
    precision, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
    return FrameHeader(rows, columns, components, precision)


def jpeg2000_codestream(frame: bytes) -> bytes:
    """``frame`` without the JP2 boxes that some writers leave around the codestream."""
    if frame[4:8] != b"jP  ":
        return frame
    return frame[max(0, frame.find(START_OF_CODESTREAM)) :]


def jpeg2000_header(frame: bytes) -> FrameHeader | None:
    """The SIZ segment (ISO/IEC 15444-1 A.5.1); None: not readable, or the codestream's end is missing."""
    if frame[:4] != START_OF_CODESTREAM or len(frame) < 43 or frame.rfind(END_MARKER) < 0:
        return None
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(
        ">8L", frame, 8
    )
    components, depth, *sampling = struct.unpack_from(">HBBB", frame, 40)
    if not (right > left >= tile_left and bottom > top >= tile_top and tile_width and tile_height):
        return None
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > MOST_TILES or sampling != [1, 1]:
        return None
    return FrameHeader(bottom - top, right - left, components, (depth & 0x7F) + 1)
