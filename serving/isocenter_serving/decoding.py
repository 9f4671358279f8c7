"""From what came in a request to the tile that the network sees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Served

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    else:
        found = _decode_pixels(instance.pixels or (), image_size, most_pixels)
        served.tile, served.outcome = (None, found) if isinstance(found, Refusal) else (found, None)


def _decode_dicom(served: Served, data: bytes, image_size: int, most_pixels: int) -> None:
    from isocenter.imaging import Limits, Refused, prepare, read_radiograph

    try:
        radiograph = read_radiograph(data, limits=Limits(pixels=most_pixels))
    except Refused as refused:
        served.outcome = Refusal(str(refused.reason), refused.message)
        return
    served.tile, served.attributes = prepare(radiograph.pixels, image_size), radiograph.attributes


def _decode_pixels(rows: Sequence[Sequence[float]], image_size: int, most_pixels: int) -> "Tile | Refusal":
    import numpy as np

    from isocenter.imaging import prepare

    columns = len(rows[0]) if rows else 0
    if len(rows) < _SMALLEST_SIDE or columns < _SMALLEST_SIDE or any(len(row) != columns for row in rows):
        return Refusal("bad-pixels", "The pixels are no rectangle of at least 2 rows and 2 columns.")
    if len(rows) * columns > most_pixels:
        return Refusal("too-large", f"An image has at most {most_pixels} pixels here.")
    pixels = np.asarray(rows, np.float32)
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        return Refusal("bad-pixels", "The pixels are not all within 0..1.")
    return prepare(pixels, image_size)
