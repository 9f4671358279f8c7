"""Rows of numbers out of JSON become an array at once, of four bytes a number instead of thirty-two."""

from collections.abc import Sequence

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Instance


def instance_of(rows: Sequence[Sequence[float]]) -> Instance:
    """The image of ``rows``; refused where they are not equally long."""
    import numpy as np

    if len({len(row) for row in rows}) != 1:
        message = "The pixels are no rectangle of at least 2 rows and 2 columns."
        return Instance(fault=Refusal("bad-pixels", message))
    try:
        return Instance(pixels=np.array(rows, np.float32))
    except OverflowError:
        return Instance(fault=Refusal("bad-pixels", "The pixels are not all within 0..1."))
