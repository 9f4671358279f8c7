"""Where the score comes from: what happens to it when a patch of the image is hidden.

Occlusion (Zeiler and Fergus, ECCV 2014) needs the network's answers only, so it explains whatever is served,
on whatever it is served with; 64 forward passes an image.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from isocenter_serving.predictor import Predictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tile = NDArray[np.uint16]
    Tiles = NDArray[np.uint16]
    Map = NDArray[np.float64]
    Picture = NDArray[np.uint8]

_GRID = 8
_PATCH_SHARE = 0.2
_BATCH = 4
_STRONGEST_TINT = 0.65
_VISIBLE_DROP = 0.02
"""A map whose largest drop is below this shows nothing: tinting noise would mislead."""


def occlusion_map(predictor: Predictor, tile: "Tile") -> "Map":
    """How much the score drops when each region is hidden.

    Args:
        predictor: with the model.
        tile: uint16 [S, S].

    Returns:
        float64 [8, 8]; positive where the region speaks for the positive class.
    """
    scores = [predictor.score(batch) for batch in occlusions(tile)]
    return drops_of(float(predictor.score(tile[None])[0]), scores)


def occlusions(tile: "Tile") -> "Iterator[Tiles]":
    """Batches, uint16 [N, S, S], of the tile with one patch hidden after the other.

    Small ones: while one is in the network, a prediction waits for it.
    """
    import numpy as np

    hidden = _hide_each(tile)
    while batch := list(islice(hidden, _BATCH)):
        yield np.stack(batch)


def drops_of(base: float, scores: "Sequence[Map]") -> "Map":
    """The map, from the scores of the whole tile and of :func:`occlusions`."""
    import numpy as np

    drops: Map = (base - np.concatenate(scores)).reshape(_GRID, _GRID)
    return drops


def overlay(tile: "Tile", drops: "Map") -> "Picture":
    """The tile in grey, red where hiding lowers the score, blue where it raises it.

    Args:
        tile: uint16 [S, S].
        drops: of :func:`occlusion_map`.

    Returns:
        uint8 [S, S, 3].
    """
    import numpy as np
    from PIL import Image

    size = len(tile)
    strongest = float(np.abs(drops).max())
    weights = drops / strongest if strongest >= _VISIBLE_DROP else np.zeros_like(drops)
    smooth = Image.fromarray(weights.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    tint = np.asarray(smooth)[..., None] * _STRONGEST_TINT
    grey = np.repeat((tile >> 8)[..., None].astype(np.float32), 3, axis=2)
    colour = np.where(tint > 0, np.array([255.0, 40.0, 40.0]), np.array([40.0, 90.0, 255.0]))
    mixed: Picture = (grey + (colour - grey) * np.abs(tint)).round().astype(np.uint8)
    return mixed


def as_png(picture: "Picture") -> bytes:
    """A PNG file of uint8 [S, S, 3]."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _hide_each(tile: "Tile") -> "Iterator[Tile]":
    """The tile with one patch after the other at the mean of what isn't black."""
    size = len(tile)
    patch = max(1, round(size * _PATCH_SHARE))
    shown = tile[tile > 0]
    fill = int(shown.mean()) if len(shown) else 0
    starts = [round(step * (size - patch) / (_GRID - 1)) for step in range(_GRID)]
    for row in starts:
        for column in starts:
            copy = tile.copy()
            copy[row : row + patch, column : column + patch] = fill
            yield copy
