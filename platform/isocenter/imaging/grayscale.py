"""From cell to display value (PS3.3 C.11.1, C.11.2; PS3.4 N.2): one table for all possible pixel cells.

A pixel cell has 8 or 16 bits, so every image's whole chain (stored bits, modality transform, VOI transform,
polarity, padding) is a table of at most 65,536 entries that is indexed once with the cells as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.unit_range import to_steps

Values = NDArray[np.float64]
Cells = NDArray[np.uint8] | NDArray[np.uint16]
# Pixels looked up at a time: the widened indices stay in the processor's cache.
CHUNK = 1 << 17


@dataclass(frozen=True)
class LookupTable:
    """A LUT of the Modality LUT or VOI LUT Sequence.

    Attributes:
        first: the input value that maps to the first entry.
        bits: of one entry; the output range is 0..2^bits - 1.
        entries: little-endian uint16 values.
    """

    first: int
    bits: int
    entries: bytes

    @property
    def top(self) -> int:
        """The largest value of the output range."""
        return (1 << self.bits) - 1

    def apply(self, values: Values) -> Values:
        """Inputs below the first entry take the first, inputs above the last take the last."""
        entries = np.frombuffer(self.entries, "<u2")
        position = np.clip(np.rint(values) - self.first, 0, len(entries) - 1)
        return np.asarray(entries[position.astype(np.intp)], np.float64)


@dataclass(frozen=True)
class Window:
    """A VOI window: centre, width, and ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``."""

    centre: float
    width: float
    function: str = "LINEAR"

    def apply(self, values: Values) -> Values:
        """PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2 with an output range of 0..1."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (values - self.centre) / self.width)))
        exact = self.function == "LINEAR_EXACT"
        centre, width = (self.centre, self.width) if exact else (self.centre - 0.5, self.width - 1.0)
        if width == 0:
            return np.where(values > centre, 1.0, 0.0)
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Rescale:
    """The linear modality transform: value x slope + intercept."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, values: Values) -> Values:
        """PS3.3 C.11.1.1.2."""
        return values * self.slope + self.intercept


@dataclass(frozen=True)
class Grayscale:
    """The transforms of one image; equal ones share one table.

    Attributes:
        modality: to the modality's units.
        voi: to what is shown; None: the full range that the modality transform can produce.
        padding: lowest and highest stored value that mean "no image here".
    """

    modality: LookupTable | Rescale
    voi: LookupTable | Window | None
    padding: tuple[int, int] | None


@lru_cache(maxsize=32)
def display_table(pixel: ImagePixel, transforms: Grayscale) -> NDArray[np.uint16]:
    """Display value for each possible pixel cell: uint16 [2^BitsAllocated], read-only.

    65535 is white; MONOCHROME1 is inverted here, once; padding is 0.
    """
    stored = stored_values(pixel)
    shown = _shown(stored.astype(np.float64), pixel, transforms)
    if pixel.inverted:
        shown = 1.0 - shown
    if transforms.padding is not None:
        low, high = transforms.padding
        shown[(stored >= low) & (stored <= high)] = 0.0
    table = to_steps(shown)
    table.setflags(write=False)
    return table


def look_up(table: NDArray[np.float32], cells: Cells) -> NDArray[np.float32]:
    """``table[cells]``, twice as fast; a cell can't be beyond the table."""
    shown = np.empty(cells.shape, np.float32)
    rows = max(1, CHUNK // cells.shape[1])
    for top in range(0, len(cells), rows):
        np.take(table, cells[top : top + rows], out=shown[top : top + rows], mode="clip")
    return shown


def look_up_bands(table: NDArray[np.uint16], cells: Cells, multiple: int) -> Iterator[NDArray[np.uint16]]:
    """``table[cells]`` in bands of rows that stay in the processor's cache, in one buffer used again.

    Args:
        table: uint16 [2^BitsAllocated].
        cells: unsigned [rows, columns].
        multiple: each band but the last has a multiple of so many rows.
    """
    rows = max(1, CHUNK // cells.shape[1] // multiple) * multiple
    buffer = np.empty((min(rows, len(cells)), cells.shape[1]), np.uint16)
    for top in range(0, len(cells), rows):
        band = cells[top : top + rows]
        yield np.take(table, band, out=buffer[: len(band)], mode="clip")


def stored_values(pixel: ImagePixel) -> NDArray[np.int32]:
    """The stored value in each possible pixel cell (PS3.5 section 8.1.1): int32 [2^BitsAllocated]."""
    cells = np.arange(1 << pixel.bits_allocated, dtype=np.int32)
    stored = (cells >> (pixel.high_bit + 1 - pixel.bits_stored)) & ((1 << pixel.bits_stored) - 1)
    if pixel.signed:
        sign = 1 << (pixel.bits_stored - 1)
        stored = (stored ^ sign) - sign
    return stored


def _shown(stored: Values, pixel: ImagePixel, transforms: Grayscale) -> Values:
    modality, voi = transforms.modality, transforms.voi
    values = modality.apply(stored)
    if isinstance(voi, LookupTable):
        return np.minimum(voi.apply(values) / voi.top, 1.0)
    if voi is not None:
        return voi.apply(values)
    low, high = modality_range(pixel, modality)
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def modality_range(pixel: ImagePixel, modality: LookupTable | Rescale) -> tuple[float, float]:
    """Smallest and largest value that the modality transform can give (PS3.3 C.11.1)."""
    if isinstance(modality, LookupTable):
        return 0.0, float(modality.top)
    sign = 1 << (pixel.bits_stored - 1) if pixel.signed else 0
    ends = modality.apply(np.array([-sign, (1 << pixel.bits_stored) - 1 - sign], np.float64))
    return float(ends.min()), float(ends.max())
