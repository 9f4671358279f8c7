"""Decode one compressed frame. Which codec serves which transfer syntax is fixed here, by measurement.

docs/decisions/dicom-decoding.md has the measurements and the licences.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.codestream import FrameHeader, jpeg2000_header, jpeg_header
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.refusal import RefusalReason, Refused

Cells = NDArray[np.uint8] | NDArray[np.uint16]
Codec = Callable[[bytes, ImagePixel], tuple[Cells, FrameHeader]]


def require_codec(transfer_syntax: str) -> None:
    """Return where the reader can decode ``transfer_syntax``.

    Raises:
        Refused: ``unsupported-transfer-syntax``.
    """
    if transfer_syntax not in CODECS:
        raise Refused(
            RefusalReason.UNSUPPORTED_TRANSFER_SYNTAX, "The reader has no decoder for this transfer syntax."
        )


def decode(transfer_syntax: str, frame: bytes, pixel: ImagePixel) -> tuple[Cells, ImagePixel]:
    """Decode ``frame`` to unsigned cells [rows, columns] and the layout of the values in them.

    Raises:
        Refused: ``decode-failed``.
    """
    try:
        cells, header = CODECS[transfer_syntax](frame, pixel)
        cells = cells.reshape(pixel.rows, pixel.columns)
    except Refused:
        raise
    except Exception:  # codecs raise what they like; their texts may quote the data
        raise _failed() from None
    return _in_cells(cells, header, pixel)


def _failed() -> Refused:
    return Refused(RefusalReason.DECODE_FAILED, "The compressed pixel data can't be decoded.")


def _in_cells(cells: Cells, header: FrameHeader, pixel: ImagePixel) -> tuple[Cells, ImagePixel]:
    """Fit decoded samples to the data set's cells.

    A sample is the whole cell where its precision reaches the high bit; else it is the value alone, and is
    sign-extended where the data set's values are signed and wider than the sample.
    """
    if header.precision > pixel.high_bit:
        return cells, pixel
    layout = replace(pixel, high_bit=pixel.bits_stored - 1)
    if not pixel.signed or header.precision >= pixel.bits_stored:
        return cells, layout
    kind = np.int8 if pixel.bits_allocated == 8 else np.int16
    shift = pixel.bits_allocated - header.precision
    return ((cells.astype(kind) << shift) >> shift).view(f"u{pixel.bits_allocated // 8}"), layout


def _check(header: FrameHeader | None, pixel: ImagePixel) -> FrameHeader:
    """Refuse a frame that isn't the image that the data set describes."""
    if header is None:
        raise _failed()
    if (header.rows, header.columns, header.components) != (pixel.rows, pixel.columns, 1):
        raise Refused(
            RefusalReason.DECODE_FAILED, "The compressed image has other dimensions than the header."
        )
    if not pixel.bits_stored > 8 >= header.precision and not 2 <= header.precision <= pixel.bits_allocated:
        raise Refused(
            RefusalReason.DECODE_FAILED, "The compressed image has another bit depth than the header."
        )
    return header


def _jpeg_ls(frame: bytes, pixel: ImagePixel) -> tuple[Cells, FrameHeader]:
    import _CharLS

    header = _check(jpeg_header(frame), pixel)
    return np.frombuffer(_CharLS._decode(frame), _container(header)), header


def _jpeg_2000(frame: bytes, pixel: ImagePixel) -> tuple[Cells, FrameHeader]:
    from openjpeg.utils import decode_pixel_data

    # Some writers leave the JP2 boxes around the codestream.
    codestream = frame[max(0, frame.find(b"\xff\x4f\xff\x51")) :]
    header = _check(jpeg2000_header(codestream), pixel)
    return np.frombuffer(decode_pixel_data(codestream, version=2), _container(header)), header


def _rle(frame: bytes, pixel: ImagePixel) -> tuple[Cells, FrameHeader]:
    from rle.utils import decode_pixel_data

    data = decode_pixel_data(
        frame, version=2, rows=pixel.rows, columns=pixel.columns, bits_allocated=pixel.bits_allocated
    )
    header = FrameHeader(pixel.rows, pixel.columns, 1, pixel.bits_allocated, signed=pixel.signed)
    return np.frombuffer(data, _container(header)), header


def _jpeg(frame: bytes, pixel: ImagePixel) -> tuple[Cells, FrameHeader]:
    """JPEG baseline, extended and lossless, by GDCM."""
    import gdcm

    header = _check(jpeg_header(frame), pixel)
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((pixel.columns, pixel.rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    allocated = 8 if header.precision <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, header.precision, header.precision - 1, 0))
    data = image.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(data, _container(header)), header


def _container(header: FrameHeader) -> str:
    return "u1" if header.precision <= 8 else "<u2"


CODECS: dict[str, Codec] = {
    "1.2.840.10008.1.2.5": _rle,
    "1.2.840.10008.1.2.4.50": _jpeg,
    "1.2.840.10008.1.2.4.51": _jpeg,
    "1.2.840.10008.1.2.4.57": _jpeg,
    "1.2.840.10008.1.2.4.70": _jpeg,
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    "1.2.840.10008.1.2.4.201": _jpeg_2000,
    "1.2.840.10008.1.2.4.202": _jpeg_2000,
    "1.2.840.10008.1.2.4.203": _jpeg_2000,
}
