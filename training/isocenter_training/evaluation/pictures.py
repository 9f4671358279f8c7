"""The X-rays of the report's cases, plain and with the Grad-CAM map over them, as JPEG."""

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 256
OPACITY = 0.55


def plain_picture(image: "NDArray[np.float32]") -> bytes:
    """``image``, float32 [S, S] in 0..1, as a grey JPEG of at most 256 x 256."""
    return _jpeg(np.rint(image * 255).astype(np.uint8))


def overlaid_picture(image: "NDArray[np.float32]", heat: "NDArray[np.float32]") -> bytes:
    """``image`` with ``heat`` (float32 [S, S] in 0..1) as a glow that hides nothing where it is 0."""
    import matplotlib

    colour = matplotlib.colormaps["inferno"](0.25 + 0.75 * heat)[..., :3]
    alpha = OPACITY * heat[..., None]
    return _jpeg(np.rint((image[..., None] * (1 - alpha) + colour * alpha) * 255).astype(np.uint8))


def _jpeg(pixels: "NDArray[np.uint8]") -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=88)
    return stream.getvalue()
