"""Display values: 0..1 as float32, and the same in steps of 1/65535 as uint16.

The steps are the precision of every picture in Isocenter. No radiograph is stored with more than 16 bits, and
on a grid a picture has the same values on every processor, where float32 results differ in the last bit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 65535


def to_unit(steps: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Steps (65535 is 1.0) to float32 in 0..1; any shape."""
    return np.divide(steps, np.float32(TOP), dtype=np.float32)


def to_steps(values: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Values in 0..1 to the nearest steps; what is outside is clipped. Any shape."""
    steps: NDArray[np.uint16] = np.rint(np.clip(values, 0.0, 1.0) * TOP).astype(np.uint16)
    return steps
