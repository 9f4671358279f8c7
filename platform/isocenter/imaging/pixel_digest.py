"""A name for an image by its pixels: equal pictures have equal digests, whatever file held them."""

import hashlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PixelHash(Protocol):
    """A digest that is being computed."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """The digest so far, as hex digits."""


def pixel_digest(pixels: NDArray[np.float32]) -> str:
    """``sha256:<64 hex>`` over the shape and the little-endian float32 values of ``pixels``."""
    values = np.ascontiguousarray(pixels, dtype="<f4")
    rows, columns = values.shape
    digest = begin_digest(rows, columns)
    digest.update(values.data)
    return named(digest)


def begin_digest(rows: int, columns: int) -> PixelHash:
    """The digest of an image of this shape whose rows are yet to be added, as little-endian float32."""
    return hashlib.sha256(f"({rows}, {columns})".encode())


def named(digest: PixelHash) -> str:
    """The digest as ``pixel_digest`` writes it."""
    return "sha256:" + digest.hexdigest()
