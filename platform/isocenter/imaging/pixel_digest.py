"""A name for an image by its pixels: equal pictures have equal digests, whatever file held them."""

import hashlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.unit_range import to_steps


class PixelHash(Protocol):
    """A digest that is being computed."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """The digest so far, as hex digits."""


def pixel_digest(pixels: NDArray[np.float32]) -> str:
    """``sha256:<64 hex>`` over the shape and the values of ``pixels`` in steps of 1/65535.

    Args:
        pixels: float32 [rows, columns] in 0..1.
    """
    digest = begin_digest(*pixels.shape)
    digest.update(little_endian(to_steps(pixels)))
    return named(digest)


def begin_digest(rows: int, columns: int) -> PixelHash:
    """The digest of an image of this shape, whose rows are yet to be added as ``little_endian``."""
    return hashlib.sha256(f"({rows}, {columns})".encode())


def little_endian(steps: NDArray[np.uint16]) -> memoryview:
    """The bytes of ``steps``, row by row."""
    return np.ascontiguousarray(steps, "<u2").data


def named(digest: PixelHash) -> str:
    """The digest as ``pixel_digest`` writes it."""
    return "sha256:" + digest.hexdigest()
