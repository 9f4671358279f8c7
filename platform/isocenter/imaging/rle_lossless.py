"""RLE Lossless (PS3.5 annex G): each byte plane of the cells is one PackBits segment, high bytes first.

PackBits comes from Pillow: of the decoders tried, one ended the process on damaged segments and one panicked
(docs/decisions/dicom-decoding.md).
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEADER = struct.Struct("<16L")


def decode_rle(frame: bytes, cells: int, width: int) -> NDArray[Any]:
    """Decode the frame to ``cells`` unsigned values of ``width`` bytes.

    Raises:
        ValueError, struct.error: the header or a segment is damaged, or holds too few bytes.
    """
    segments, *offsets = HEADER.unpack_from(frame)
    starts = [*offsets[:segments], len(frame)]
    if segments != width or starts[0] < HEADER.size or starts != sorted(starts):
        raise ValueError("not the header of this frame")
    planes = np.empty((cells, width), np.uint8)
    for index in range(width):
        segment = frame[starts[index] : starts[index + 1]]
        # One long line: runs may go on over the end of a row, though the standard forbids it.
        line = Image.frombytes("L", (cells, 1), segment, "packbits", "L")
        planes[:, width - 1 - index] = np.asarray(line)[0]
    return planes.view(f"<u{width}")[:, 0]
