"""Read one radiograph."""

from pathlib import Path
from typing import BinaryIO

from isocenter.imaging.acquisition import read_attributes, read_identity
from isocenter.imaging.byte_source import ByteSource, open_source, unreadable
from isocenter.imaging.dicom_file import DicomFile, open_dicom
from isocenter.imaging.grayscale import display_table, look_up
from isocenter.imaging.image_pixel import image_pixel
from isocenter.imaging.limits import DEFAULT_LIMITS, Limits
from isocenter.imaging.pixel_data import read_cells
from isocenter.imaging.radiograph import Radiograph
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.sop_class import require_radiograph
from isocenter.imaging.tags import Tag
from isocenter.imaging.transforms import read_transforms
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
        Pixels as displayed (float32 [rows, columns], 0..1, 1 is white), acquisition attributes, identity.

    Raises:
        Refused: the file can't be used; ``reason`` says why.
    """
    try:
        with open_source(source, limits) as opened:
            return _read(opened, limits)
    except Refused:
        raise
    except OSError:
        raise unreadable() from None
    except MemoryError:
        raise Refused(RefusalReason.TOO_LARGE, "There is not enough memory to read the image.") from None
    except Exception:  # one file must never end an ingest; the fuzz test sees to it that this isn't reached
        raise Refused(RefusalReason.BAD_HEADER, UNFORESEEN) from None


def _read(source: ByteSource, limits: Limits) -> Radiograph:
    file = open_dicom(source, limits)
    require_radiograph(_sop_class(file))
    pixel = image_pixel(file, limits)
    transforms = read_transforms(file, pixel)
    cells, layout = read_cells(file, pixel, source, limits)
    pixels = look_up(display_table(layout, transforms), cells)
    return Radiograph(pixels, read_attributes(file, pixel), read_identity(file))


def _sop_class(file: DicomFile) -> str:
    sop_class = ascii_text(file.value(Tag.SOP_CLASS_UID)) or file.media_sop_class
    if not sop_class:
        raise Refused(RefusalReason.BAD_HEADER, "The header does not say what kind of object this is.")
    return sop_class
