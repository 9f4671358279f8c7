"""RLE Lossless (PS3.5 annex G): each byte plane of the cells is one PackBits segment, high bytes first.

The frame's header is read here and the segments are unpacked by imagecodecs: of the decoders that take whole
frames, one ended the process on damaged headers and one panicked on damaged segments
(docs/decisions/dicom-decoding.md).
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct("<16L")


def decode_rle(frame: bytes, cells: int, width: int) -> NDArray[Any]:
    """Decode the frame to ``cells`` unsigned values of ``width`` bytes.

    Raises:
        ValueError, struct.error, RuntimeError: the header or a segment is damaged, or holds too few bytes.
    """
    import imagecodecs

    segments, *offsets = HEADER.unpack_from(frame)
    starts = [*offsets[:segments], len(frame)]
    if segments != width or starts[0] < HEADER.size or starts != sorted(starts):
        raise ValueError("not the header of this frame")
    planes = np.empty((cells, width), np.uint8)
    for index in range(width):
        segment = frame[starts[index] : starts[index + 1]]
        plane = np.frombuffer(imagecodecs.packbits_decode(segment, out=cells), np.uint8)
        if len(plane) != cells:  # where one value would be spread over all
            raise ValueError("a segment holds too few bytes")
        planes[:, width - 1 - index] = plane
    return planes.view(f"<u{width}")[:, 0]
