"""The Image Pixel module (PS3.3 C.7.6.3): how the stored values of the one frame are laid out."""

from dataclasses import dataclass

from isocenter.imaging.dicom_file import DicomFile
from isocenter.imaging.limits import Limits
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.tags import Tag
from isocenter.imaging.values import ascii_text, bad_header, decimal, word


@dataclass(frozen=True)
class ImagePixel:
    """Layout of the frame.

    Attributes:
        rows: height.
        columns: width.
        bits_allocated: 8 or 16, the cell of one pixel.
        bits_stored: how many of them are the value.
        high_bit: position of its most significant bit.
        signed: two's complement.
        inverted: MONOCHROME1: the lowest value is shown white.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    inverted: bool

    @property
    def frame_bytes(self) -> int:
        """Length of the frame, uncompressed."""
        return self.rows * self.columns * self.bits_allocated // 8


def image_pixel(file: DicomFile, limits: Limits) -> ImagePixel:
    """Read and check the module.

    Raises:
        Refused: ``multi-frame``, ``colour``, ``too-large`` or ``bad-header``.
    """
    _require_one_grey_frame(file)
    photometric = ascii_text(file.value(Tag.PHOTOMETRIC_INTERPRETATION))
    rows, columns = _word(file, Tag.ROWS, "Rows"), _word(file, Tag.COLUMNS, "Columns")
    allocated, stored = (
        _word(file, Tag.BITS_ALLOCATED, "BitsAllocated"),
        _word(file, Tag.BITS_STORED, "BitsStored"),
    )
    high_bit = word(file.value(Tag.HIGH_BIT), file.encoding, "HighBit", default=stored - 1)
    representation = _word(file, Tag.PIXEL_REPRESENTATION, "PixelRepresentation")
    if rows == 0 or columns == 0:
        raise bad_header("Rows or Columns")
    if max(rows, columns) > limits.side or rows * columns > limits.pixels:
        raise Refused(RefusalReason.TOO_LARGE, f"{rows} x {columns} pixels are more than the reader accepts.")
    if allocated not in (8, 16):
        raise Refused(RefusalReason.BAD_HEADER, f"BitsAllocated is {allocated}; the reader takes 8 or 16.")
    if not 1 <= stored <= allocated or not stored - 1 <= high_bit < allocated:
        raise bad_header("BitsStored or HighBit")
    if representation > 1:
        raise bad_header("PixelRepresentation")
    return ImagePixel(
        rows, columns, allocated, stored, high_bit, representation == 1, photometric == "MONOCHROME1"
    )


def _require_one_grey_frame(file: DicomFile) -> None:
    frames = decimal(file.value(Tag.NUMBER_OF_FRAMES), "NumberOfFrames")
    if frames is not None and frames > 1:
        raise Refused(RefusalReason.MULTI_FRAME, "The file holds more than one frame.")
    if word(file.value(Tag.SAMPLES_PER_PIXEL), file.encoding, "SamplesPerPixel", default=1) != 1:
        raise Refused(RefusalReason.COLOUR, "The image is in colour; only grey images are read.")
    photometric = ascii_text(file.value(Tag.PHOTOMETRIC_INTERPRETATION))
    if not photometric:
        raise bad_header("PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise Refused(RefusalReason.COLOUR, "The image is in colour or palette colour; only grey is read.")


def _word(file: DicomFile, tag: Tag, name: str) -> int:
    return word(file.value(tag), file.encoding, name)
