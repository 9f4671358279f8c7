"""Decode one compressed frame. Which codec serves which transfer syntax is fixed here, by measurement.

docs/decisions/dicom-decoding.md has the measurements and the licences.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocenter.imaging.codestream import (
    FrameHeader,
    jpeg2000_codestream,
    jpeg2000_header,
    jpeg_header,
)
from isocenter.imaging.grayscale import Cells
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.rle_lossless import decode_rle

Codec = Callable[[bytes, ImagePixel], tuple[NDArray[Any], FrameHeader]]


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
        samples, header = CODECS[transfer_syntax](frame, pixel)
        samples = samples.reshape(pixel.rows, pixel.columns)
    except Refused:
        raise
    except Exception:  # each codec has errors of its own, and their texts are not for people
        raise _failed() from None
    if transfer_syntax in LOSSY and header.precision > pixel.bits_stored:
        samples = _clipped(samples, pixel)
    return _cells(samples, header, pixel)


def _clipped(samples: NDArray[Any], pixel: ImagePixel) -> NDArray[Any]:
    """Lossy coding of few bits in a deeper stream overshoots; white must not wrap round to black."""
    if pixel.high_bit != pixel.bits_stored - 1:
        return samples
    low = -(1 << (pixel.bits_stored - 1)) if pixel.signed else 0
    kind = "i" if pixel.signed else "u"
    clipped: NDArray[Any] = np.clip(
        samples.view(f"{kind}{samples.dtype.itemsize}"), low, low + (1 << pixel.bits_stored) - 1
    )
    return clipped


def _failed(sentence: str = "The compressed pixel data can't be decoded.") -> Refused:
    return Refused(RefusalReason.DECODE_FAILED, sentence)


def _cells(samples: NDArray[Any], header: FrameHeader, pixel: ImagePixel) -> tuple[Cells, ImagePixel]:
    """Fit decoded samples to the data set's pixel cells.

    A sample whose precision reaches the high bit is the whole cell. A narrower one is the value alone, and
    its sign is extended where the data set's values are signed and wider than it (PS3.5 section 8.2).
    """
    unsigned = samples.view(f"u{samples.dtype.itemsize}")
    if header.precision > pixel.high_bit:
        return unsigned, pixel
    layout = replace(pixel, high_bit=pixel.bits_stored - 1)
    if pixel.signed and header.precision < pixel.bits_stored:
        return _sign_extended(unsigned, header.precision, pixel.bits_allocated), layout
    return unsigned, layout


def _sign_extended(samples: NDArray[Any], precision: int, bits: int) -> Cells:
    signed = samples.astype(f"i{bits // 8}")
    return ((signed << (bits - precision)) >> (bits - precision)).view(f"u{bits // 8}")


def _check(header: FrameHeader | None, pixel: ImagePixel) -> FrameHeader:
    """Refuse a frame that is incomplete or isn't the image that the data set describes."""
    if header is None:
        raise _failed()
    if (header.rows, header.columns, header.components) != (pixel.rows, pixel.columns, 1):
        raise _failed("The compressed image has other dimensions than the header says.")
    if not 2 <= header.precision <= pixel.bits_allocated:
        raise _failed("The compressed image has another depth than the header says.")
    return header


def _jpeg_ls(frame: bytes, pixel: ImagePixel) -> tuple[NDArray[Any], FrameHeader]:
    """CharLS."""
    import imagecodecs

    header = _check(jpeg_header(frame), pixel)
    return imagecodecs.jpegls_decode(frame), header


def _jpeg(frame: bytes, pixel: ImagePixel) -> tuple[NDArray[Any], FrameHeader]:
    """libjpeg-turbo: baseline, extended (12 bits) and lossless."""
    import imagecodecs

    header = _check(jpeg_header(frame), pixel)
    return imagecodecs.jpeg8_decode(frame), header


def _jpeg_2000(frame: bytes, pixel: ImagePixel) -> tuple[NDArray[Any], FrameHeader]:
    """OpenJPEG, high-throughput streams included."""
    import imagecodecs

    codestream = jpeg2000_codestream(frame)
    header = _check(jpeg2000_header(codestream), pixel)
    return imagecodecs.jpeg2k_decode(codestream), header


def _rle(frame: bytes, pixel: ImagePixel) -> tuple[NDArray[Any], FrameHeader]:
    """imagecodecs' PackBits, a segment at a time."""
    samples = decode_rle(frame, pixel.rows * pixel.columns, pixel.bits_allocated // 8)
    return samples, FrameHeader(pixel.rows, pixel.columns, 1, pixel.bits_allocated)


JPEG = "1.2.840.10008.1.2.4."
CODECS: dict[str, Codec] = {
    "1.2.840.10008.1.2.5": _rle,
    JPEG + "50": _jpeg,  # baseline
    JPEG + "51": _jpeg,  # extended
    JPEG + "57": _jpeg,  # lossless, process 14
    JPEG + "70": _jpeg,  # lossless, process 14, selection value 1
    JPEG + "80": _jpeg_ls,  # lossless
    JPEG + "81": _jpeg_ls,  # near-lossless
    JPEG + "90": _jpeg_2000,  # lossless
    JPEG + "91": _jpeg_2000,
    JPEG + "201": _jpeg_2000,  # high-throughput, lossless
    JPEG + "202": _jpeg_2000,  # high-throughput, lossless, RPCL
    JPEG + "203": _jpeg_2000,  # high-throughput
}
LOSSY = frozenset(JPEG + number for number in ("50", "51", "81", "91", "203"))
