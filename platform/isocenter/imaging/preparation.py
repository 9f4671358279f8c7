"""From a radiograph to the square tile that the model sees. Training, evaluation and serving share this."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TOP = 65535
# Whole pixels are averaged down to no less than this many times the target before the exact filter: three
# times as fast, and by Pillow's documentation of reducing_gap not to be told from the exact filter alone.
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
    letterbox = Letterbox.of(rows, columns, size)
    return letterbox.tile(letterbox.reduce(pixels))


def to_unit(tile: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Tile values back to float32 in 0..1; any shape."""
    return np.divide(tile, np.float32(TOP), dtype=np.float32)


@dataclass(frozen=True)
class Letterbox:
    """How an image of given rows and columns is fitted into a tile.

    Attributes:
        rows: of the image.
        columns: of the image.
        size: rows and columns of the tile.
        height: of the image within the tile.
        width: of the image within the tile.
        down: rows that are averaged into one beforehand.
        across: columns that are averaged into one beforehand.
    """

    rows: int
    columns: int
    size: int
    height: int
    width: int
    down: int
    across: int

    @classmethod
    def of(cls, rows: int, columns: int, size: int) -> Self:
        """The fit that keeps the aspect."""
        longest = max(rows, columns)
        height, width = max(1, round(rows * size / longest)), max(1, round(columns * size / longest))
        down, across = int(rows / height / REDUCING_GAP) or 1, int(columns / width / REDUCING_GAP) or 1
        return cls(rows, columns, size, height, width, down, across)

    def reduce(self, band: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average whole pixels. Bands whose rows are a multiple of ``down`` give the rows of the whole."""
        return np.asarray(Image.fromarray(band).reduce((self.across, self.down)))

    def tile(self, reduced: NDArray[np.float32]) -> NDArray[np.uint16]:
        """The tile, from the whole reduced image."""
        box = (0, 0, self.columns / self.across, self.rows / self.down)
        scaled = Image.fromarray(reduced).resize((self.width, self.height), Image.Resampling.BILINEAR, box)
        top, left = (self.size - self.height) // 2, (self.size - self.width) // 2
        tile = np.zeros((self.size, self.size), np.uint16)
        inside = tile[top : top + self.height, left : left + self.width]
        inside[:] = np.rint(np.clip(np.asarray(scaled), 0.0, 1.0) * TOP)
        return tile
