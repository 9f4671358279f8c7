"""Read the grayscale transforms of one file: Modality LUT, VOI LUT and pixel padding attributes."""

import numpy as np

from isocenter.imaging.data_elements import Element, first_item
from isocenter.imaging.dicom_file import DicomFile
from isocenter.imaging.grayscale import Grayscale, LookupTable, Rescale, Window, modality_range
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.tags import Tag
from isocenter.imaging.values import ascii_text, bad_header, decimal, word, words

# Far beyond any unit in use; keeps the arithmetic finite.
LARGEST = 1e12


def read_transforms(file: DicomFile, pixel: ImagePixel) -> Grayscale:
    """The transforms of ``file``.

    Where several VOI transforms are offered, the first is taken, and a table before a window.

    Raises:
        Refused: ``bad-header``.
    """
    modality = _lut(file, Tag.MODALITY_LUT_SEQUENCE, signed=pixel.signed) or _rescale(file)
    low, high = modality_range(pixel, modality)
    if not low < high:
        raise bad_header("rescale slope")
    voi = _lut(file, Tag.VOI_LUT_SEQUENCE, signed=low < 0) or _window(file)
    return Grayscale(modality, voi, _padding(file, pixel))


def _rescale(file: DicomFile) -> Rescale:
    slope = decimal(file.value(Tag.RESCALE_SLOPE), "rescale slope")
    intercept = decimal(file.value(Tag.RESCALE_INTERCEPT), "rescale intercept")
    rescale = Rescale(1.0 if slope is None else slope, 0.0 if intercept is None else intercept)
    if max(abs(rescale.slope), abs(rescale.intercept)) > LARGEST:
        raise bad_header("rescale slope or intercept")
    return rescale


def _window(file: DicomFile) -> Window | None:
    centre = decimal(file.value(Tag.WINDOW_CENTER), "window centre")
    width = decimal(file.value(Tag.WINDOW_WIDTH), "window width")
    if centre is None or width is None:
        return None
    function = ascii_text(file.value(Tag.VOI_LUT_FUNCTION)).upper() or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise bad_header("VOI LUT function")
    smallest = 1.0 if function == "LINEAR" else 1.0 / LARGEST
    if not smallest <= width <= LARGEST or abs(centre) > LARGEST:
        raise bad_header("window")
    return Window(centre, width, function)


def _lut(file: DicomFile, tag: Tag, *, signed: bool) -> LookupTable | None:
    """The first table of a LUT sequence; None where the sequence is absent or empty."""
    sequence = file.elements.get(tag)
    if sequence is None:
        return None
    item = {element.tag: element for element in first_item(file.data, sequence, file.encoding)}
    if not item:
        return None
    if Tag.LUT_DESCRIPTOR not in item or Tag.LUT_DATA not in item:
        raise bad_header("lookup table")
    return _table(file, item[Tag.LUT_DESCRIPTOR], item[Tag.LUT_DATA], signed=signed)


def _table(file: DicomFile, described: Element, stored: Element, *, signed: bool) -> LookupTable:
    descriptor = file.data[described.offset : described.end]
    if len(descriptor) != 6:
        raise bad_header("lookup table descriptor")
    count, first, bits = words(descriptor, file.encoding)
    if signed or described.vr == b"SS":
        first = words(descriptor, file.encoding, signed=True)[1]
    count = count or 1 << 16
    if not 8 <= bits <= 16:
        raise bad_header("lookup table descriptor")
    return LookupTable(first, bits, _entries(file, stored, count))


def _entries(file: DicomFile, stored: Element, count: int) -> bytes:
    """Entries as little-endian uint16; they come as words, or as bytes (PS3.3 C.11.1.1.1)."""
    data = file.data[stored.offset : stored.end]
    if len(data) >= 2 * count:
        order = "<u2" if file.encoding.little else ">u2"
        return np.frombuffer(data, order, count).astype("<u2").tobytes()
    if len(data) in (count, count + 1):
        return np.frombuffer(data, np.uint8, count).astype("<u2").tobytes()
    raise bad_header("lookup table data")


def _padding(file: DicomFile, pixel: ImagePixel) -> tuple[int, int] | None:
    """PS3.3 C.7.5.1.1.2: one stored value, or the range between two, marks where there is no image."""
    value, limit = file.value(Tag.PIXEL_PADDING_VALUE), file.value(Tag.PIXEL_PADDING_RANGE_LIMIT)
    if len(value) != 2:
        return None
    ends = [_stored_word(file, value, pixel)]
    if len(limit) == 2:
        ends.append(_stored_word(file, limit, pixel))
    return min(ends), max(ends)


def _stored_word(file: DicomFile, value: bytes, pixel: ImagePixel) -> int:
    if pixel.signed:
        return words(value, file.encoding, signed=True)[0]
    return word(value, file.encoding, "pixel padding value")
