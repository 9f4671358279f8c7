"""From a radiograph to the square tile that the model sees. Training, evaluation and serving share this."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TOP = 65535
# Before the exact filter, whole pixels are averaged down to three times the target: three times as fast,
# and by Pillow's documentation not to be told from the exact filter alone.
REDUCING_GAP = 3.0


def prepare(pixels: NDArray[np.float32], size: int) -> NDArray[np.uint16]:
    """Scale ``pixels`` into a square tile: aspect kept, centred, padded with 0.

    A triangle filter over the area of each output pixel: no aliasing where the image shrinks, bilinear
    interpolation where it grows, and no value outside of the input's range.

    Args:
        pixels: float32 [rows, columns] in 0..1.
        size: rows and columns of the tile.

    Returns:
        uint16 [size, size]; 65535 is 1.0.
    """
    rows, columns = pixels.shape
    longest = max(rows, columns)
    height, width = max(1, round(rows * size / longest)), max(1, round(columns * size / longest))
    scaled = Image.fromarray(pixels).resize(
        (width, height), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP
    )
    top, left = (size - height) // 2, (size - width) // 2
    tile = np.zeros((size, size), np.uint16)
    tile[top : top + height, left : left + width] = np.rint(np.clip(np.asarray(scaled), 0.0, 1.0) * TOP)
    return tile


def to_unit(tile: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Tile values back to float32 in 0..1; any shape."""
    return np.divide(tile, np.float32(TOP), dtype=np.float32)
