"""From a radiograph to the square tile that the model sees. Training, evaluation and serving share this."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isocenter.imaging.unit_range import TOP, to_steps

# Whole pixels are averaged down to no less than this many times the target before the exact filter: three
# times as fast, and not to be told from the exact filter alone (Pillow's documentation of reducing_gap).
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
    return letterbox.tile(letterbox.reduce(to_steps(pixels)))


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

    def reduce(self, steps: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Average ``down`` x ``across`` pixels to one, in exact integer sums.

        Bands whose rows are a multiple of ``down`` give the rows that the whole image gives.

        Args:
            steps: uint16 [rows, columns], display values in steps of 1/65535.

        Returns:
            float32 [rows / down, columns / across], rounded up, in 0..1.
        """
        kind = np.uint32 if self.down * self.across * TOP < 1 << 32 else np.uint64
        sums = _sums(_sums(steps, self.down, kind).T, self.across, kind).T
        rows, columns = steps.shape
        counts = np.outer(_counts(rows, self.down), _counts(columns, self.across))
        return np.asarray(sums / (counts * float(TOP)), np.float32)

    def tile(self, reduced: NDArray[np.float32]) -> NDArray[np.uint16]:
        """The tile, from the whole reduced image."""
        box = (0, 0, self.columns / self.across, self.rows / self.down)
        scaled = Image.fromarray(reduced).resize((self.width, self.height), Image.Resampling.BILINEAR, box)
        top, left = (self.size - self.height) // 2, (self.size - self.width) // 2
        tile = np.zeros((self.size, self.size), np.uint16)
        inside = tile[top : top + self.height, left : left + self.width]
        inside[:] = to_steps(np.asarray(scaled))
        return tile


def _sums(values: NDArray[Any], step: int, kind: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Sums of ``step`` rows each; the last of what is left."""
    total = values[::step].astype(kind)
    for offset in range(1, min(step, len(values))):
        part = values[offset::step]
        total[: len(part)] += part
    return total


def _counts(length: int, step: int) -> NDArray[np.int64]:
    """How many rows went into each of the sums."""
    return np.minimum(step, length - np.arange(0, length, step))
