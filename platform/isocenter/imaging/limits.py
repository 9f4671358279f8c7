"""Bounds that hold before anything is allocated for a file."""

from dataclasses import dataclass

MEBI = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How large an image may be.

    The largest radiographs in use (full-leg and full-spine stitched, 43 cm wide detectors at 0.1 mm) have
    about 4,300 x 10,700 pixels: 46 megapixels. The defaults stay above that.

    Attributes:
        pixels: most pixels of one image, Rows x Columns.
        side: most rows, and most columns.
        file_bytes: most bytes read of one file.
        inflated_bytes: most bytes that a deflated data set may grow to.
    """

    pixels: int = 64_000_000
    side: int = 32_768
    file_bytes: int = 256 * MEBI
    inflated_bytes: int = 192 * MEBI


DEFAULT_LIMITS = Limits()
