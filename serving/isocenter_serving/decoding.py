"""From what came in a request to the tile that the network sees."""

from typing import TYPE_CHECKING

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Served

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float32]
    Tile = NDArray[np.uint16]

_SMALLEST_SIDE = 2


def decode(served: Served, image_size: int, most_pixels: int) -> None:
    """Fill in the tile and attributes, or the refusal, of one image.

    Args:
        served: whose ``instance`` is decoded.
        image_size: rows and columns of the tile.
        most_pixels: of an image that is decoded.
    """
    instance = served.instance
    if instance.fault is not None:
        served.outcome = instance.fault
    elif instance.dicom is not None:
        _decode_dicom(served, instance.dicom, image_size, most_pixels)
    elif instance.pixels is not None:
        found = _decode_pixels(instance.pixels, image_size, most_pixels)
        served.tile, served.outcome = (None, found) if isinstance(found, Refusal) else (found, None)


def _decode_dicom(served: Served, data: bytes, image_size: int, most_pixels: int) -> None:
    from isocenter.imaging import Limits, Refused, prepare, read_radiograph

    try:
        radiograph = read_radiograph(data, limits=Limits(pixels=most_pixels))
    except Refused as refused:
        served.outcome = Refusal(str(refused.reason), refused.message)
        return
    served.tile, served.attributes = prepare(radiograph.pixels, image_size), radiograph.attributes


def _decode_pixels(pixels: "Pixels", image_size: int, most_pixels: int) -> "Tile | Refusal":
    import numpy as np

    from isocenter.imaging import prepare

    if min(pixels.shape) < _SMALLEST_SIDE:
        return Refusal("bad-pixels", "The pixels are no rectangle of at least 2 rows and 2 columns.")
    if pixels.size > most_pixels:
        return Refusal("too-large", f"An image has at most {most_pixels} pixels here.")
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        return Refusal("bad-pixels", "The pixels are not all within 0..1.")
    return prepare(pixels, image_size)
