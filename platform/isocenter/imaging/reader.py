"""Read one radiograph: as pixels, or straight to the tile that the model sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.acquisition import read_attributes, read_identity
from isocenter.imaging.byte_source import ByteSource, open_source, unreadable
from isocenter.imaging.dicom_file import DicomFile, open_dicom
from isocenter.imaging.grayscale import Cells, display_table, look_up, look_up_bands
from isocenter.imaging.image_pixel import image_pixel
from isocenter.imaging.limits import DEFAULT_LIMITS, Limits
from isocenter.imaging.pixel_data import read_cells
from isocenter.imaging.pixel_digest import begin_digest, little_endian, named
from isocenter.imaging.preparation import Letterbox
from isocenter.imaging.radiograph import AcquisitionAttributes, Identity, PreparedRadiograph, Radiograph
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.sop_class import require_radiograph
from isocenter.imaging.tags import Tag
from isocenter.imaging.transforms import read_transforms
from isocenter.imaging.unit_range import to_unit
from isocenter.imaging.values import ascii_text

UNFORESEEN = "The file is malformed in a way that the reader does not know."


def read_radiograph(source: Path | bytes | BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Radiograph:
    """Read a single-frame CR, DX or SC image by the DICOM standard.

    Stored values go through the modality transform, the first VOI transform (or none: the full range),
    and the polarity; pixel padding becomes 0. Any bytes give an image or ``Refused``, nothing else; nothing
    is warned, logged or written.

    Args:
        source: a file, its bytes, or a binary stream (read from its position on).
        limits: how large the image may be; checked before anything is allocated for it.

    Returns:
        Pixels as displayed (float32 [rows, columns], 0..1 in steps of 1/65535, 1 is white), acquisition
        attributes, identity.

    Raises:
        Refused: the file can't be used; ``reason`` says why.
    """
    with _refusing(), open_source(source, limits) as opened:
        decoded = _decode(opened, limits)
        pixels = look_up(to_unit(decoded.table), decoded.cells)
        return Radiograph(pixels, decoded.attributes, decoded.identity)


def read_prepared(
    source: Path | bytes | BinaryIO, size: int, *, limits: Limits = DEFAULT_LIMITS
) -> PreparedRadiograph:
    """``read_radiograph``, ``pixel_digest`` and ``prepare`` in one pass over the image.

    The result is the same to the last bit, sooner: the image is never in memory as a whole as float32.

    Args:
        source: as for ``read_radiograph``.
        size: rows and columns of the tile.
        limits: as for ``read_radiograph``.

    Raises:
        Refused: the file can't be used; ``reason`` says why.
        ValueError: ``size`` is less than 1.
    """
    if size < 1:
        raise ValueError("a tile has at least one row and column")
    with _refusing(), open_source(source, limits) as opened:
        decoded = _decode(opened, limits)
        tile, digest = _tile_and_digest(decoded, size)
        return PreparedRadiograph(tile, digest, decoded.attributes, decoded.identity)


class _Decoded(NamedTuple):
    cells: Cells
    table: NDArray[np.uint16]
    attributes: AcquisitionAttributes
    identity: Identity


def _decode(source: ByteSource, limits: Limits) -> _Decoded:
    file = open_dicom(source, limits)
    require_radiograph(_sop_class(file))
    pixel = image_pixel(file, limits)
    transforms = read_transforms(file, pixel)
    cells, layout = read_cells(file, pixel, source, limits)
    return _Decoded(
        cells, display_table(layout, transforms), read_attributes(file, pixel), read_identity(file)
    )


def _tile_and_digest(decoded: _Decoded, size: int) -> tuple[NDArray[np.uint16], str]:
    rows, columns = decoded.cells.shape
    letterbox, digest = Letterbox.of(rows, columns, size), begin_digest(rows, columns)
    reduced = []
    for band in look_up_bands(decoded.table, decoded.cells, letterbox.down):
        digest.update(little_endian(band))
        reduced.append(letterbox.reduce(band))
    return letterbox.tile(np.concatenate(reduced)), named(digest)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever a file leads to into ``Refused``."""
    try:
        yield
    except Refused:
        raise
    except OSError:
        raise unreadable() from None
    except MemoryError:
        raise Refused(RefusalReason.TOO_LARGE, "There is not enough memory to read the image.") from None
    except Exception:  # one file must never end an ingest; the fuzz test sees to it that this isn't reached
        raise Refused(RefusalReason.BAD_HEADER, UNFORESEEN) from None


def _sop_class(file: DicomFile) -> str:
    sop_class = ascii_text(file.value(Tag.SOP_CLASS_UID)) or file.media_sop_class
    if not sop_class:
        raise Refused(RefusalReason.BAD_HEADER, "The header does not say what kind of object this is.")
    return sop_class
