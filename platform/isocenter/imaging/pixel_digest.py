"""A name for an image by its pixels: equal pictures have equal digests, whatever file held them."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def pixel_digest(pixels: NDArray[np.float32]) -> str:
    """``sha256:<64 hex>`` over the shape and the little-endian float32 values of ``pixels``."""
    values = np.ascontiguousarray(pixels, dtype="<f4")
    digest = hashlib.sha256(repr(values.shape).encode())
    digest.update(values.data)
    return "sha256:" + digest.hexdigest()
