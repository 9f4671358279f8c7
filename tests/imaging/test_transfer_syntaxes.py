"""One picture through every transfer syntax gives one picture."""

import io
import random
import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from isocenter.imaging import Radiograph, RefusalReason, Refused, pixel_digest, read_radiograph

WriteDicom = Callable[..., bytes]
Encode = Callable[[NDArray[Any], int], bytes]
RLE = "1.2.840.10008.1.2.5"
JPEG = "1.2.840.10008.1.2.4."


def rle(cells: NDArray[Any], bits: int) -> bytes:
    """PS3.5 annex G written down: one segment a byte plane, high byte first, literal runs of 128 at most."""
    planes = cells.astype(cells.dtype.newbyteorder(">")).tobytes()
    width = cells.dtype.itemsize
    segments = [b"".join(_literal_runs(planes[plane::width])) for plane in range(width)]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:index])) for index in range(width)]
    return struct.pack("<16L", width, *offsets, *[0] * (15 - width)) + b"".join(segments)


def _literal_runs(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 128):
        run = data[start : start + 128]
        yield bytes([len(run) - 1]) + run


def jpeg_lossless(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(cells, lossless=True, bitspersample=bits))


def jpeg_lossy(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(cells, level=95, bitspersample=bits))


def jpeg_ls(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(cells))


def jpeg_ls_near(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(cells, level=2))


def jpeg_2000(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", level=0, bitspersample=bits))


def jpeg_2000_lossy(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", level=60, bitspersample=bits))


def htj2k(cells: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.htj2k_encode(cells))


# Syntax, encoder, bits, largest difference of stored values.
COMPRESSED = [
    pytest.param(RLE, rle, 8, 0, id="rle-8"),
    pytest.param(RLE, rle, 12, 0, id="rle-12"),
    pytest.param(JPEG + "50", jpeg_lossy, 8, 5, id="jpeg-baseline"),
    pytest.param(JPEG + "51", jpeg_lossy, 8, 5, id="jpeg-extended-8"),
    pytest.param(JPEG + "51", jpeg_lossy, 12, 30, id="jpeg-extended-12"),
    pytest.param(JPEG + "57", jpeg_lossless, 12, 0, id="jpeg-lossless-12"),
    pytest.param(JPEG + "70", jpeg_lossless, 8, 0, id="jpeg-lossless-sv1-8"),
    pytest.param(JPEG + "70", jpeg_lossless, 16, 0, id="jpeg-lossless-sv1-16"),
    pytest.param(JPEG + "80", jpeg_ls, 8, 0, id="jpeg-ls-8"),
    pytest.param(JPEG + "80", jpeg_ls, 12, 0, id="jpeg-ls-12"),
    pytest.param(JPEG + "81", jpeg_ls_near, 12, 2, id="jpeg-ls-near"),
    pytest.param(JPEG + "90", jpeg_2000, 8, 0, id="jpeg-2000-8"),
    pytest.param(JPEG + "90", jpeg_2000, 12, 0, id="jpeg-2000-12"),
    pytest.param(JPEG + "90", jpeg_2000, 16, 0, id="jpeg-2000-16"),
    pytest.param(JPEG + "91", jpeg_2000_lossy, 12, 30, id="jpeg-2000-lossy"),
    pytest.param(JPEG + "201", htj2k, 16, 0, id="htj2k-lossless"),
]


def stored(xray: NDArray[np.uint8], bits: int) -> NDArray[Any]:
    """The real X-ray with ``bits`` bits, cut to a size with an odd side."""
    values = np.rint(xray[:201, :180].astype(np.float64) / 255 * ((1 << bits) - 1))
    return values.astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize(("syntax", "encode", "bits", "tolerance"), COMPRESSED)
def test_compressed_is_as_uncompressed(
    write_dicom: WriteDicom,
    real_xray: NDArray[np.uint8],
    syntax: str,
    encode: Encode,
    bits: int,
    tolerance: int,
) -> None:
    cells = stored(real_xray, bits)
    layout = {"BitsStored": bits, "HighBit": bits - 1, "PhotometricInterpretation": "MONOCHROME1"}
    plain = read_radiograph(write_dicom(cells, **layout)).pixels
    packed = read_radiograph(write_dicom(cells, syntax=syntax, frame=encode(cells, bits), **layout))
    assert packed.attributes.transfer_syntax == syntax
    assert np.abs(packed.pixels - plain).max() <= (tolerance + 1e-3) / ((1 << bits) - 1)
    assert (pixel_digest(packed.pixels) == pixel_digest(plain)) == (tolerance == 0)


@pytest.mark.parametrize(
    ("syntax", "encode", "bits"),
    [
        (RLE, rle, 12),
        (JPEG + "70", jpeg_lossless, 16),
        (JPEG + "80", jpeg_ls, 16),
        (JPEG + "90", jpeg_2000, 16),
    ],
)
def test_signed_values_survive_compression(
    write_dicom: WriteDicom, syntax: str, encode: Encode, bits: int
) -> None:
    signed = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    layout = {"BitsStored": 12, "HighBit": 11}
    # JPEG 2000 knows of signs; the others carry the two's complement.
    frame = encode(signed if encode is jpeg_2000 else signed.view(np.uint16), bits)
    packed = read_radiograph(write_dicom(signed, syntax=syntax, frame=frame, **layout)).pixels
    assert np.allclose(packed.ravel(), np.arange(4096) / 4095, atol=1e-5)


def test_sign_narrower_than_the_stored_bits_is_extended(write_dicom: WriteDicom) -> None:
    # A codestream of 12 bits in a data set that says 16: pydicom calls it the sign correction.
    signed = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    frame = jpeg_2000((signed.view(np.uint16) & 0xFFF).astype(np.uint16), 12)
    pixels = read_radiograph(write_dicom(signed, syntax=JPEG + "90", frame=frame)).pixels
    assert np.allclose(pixels.ravel(), (np.arange(4096) - 2048 + 32768) / 65535, atol=1e-5)


def test_low_aligned_codestream_under_a_high_bit_at_the_top(write_dicom: WriteDicom) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    frame = jpeg_2000(values, 12)
    pixels = read_radiograph(
        write_dicom(values, syntax=JPEG + "90", frame=frame, BitsStored=12, HighBit=15)
    ).pixels
    assert np.allclose(pixels.ravel(), np.arange(4096) / 4095, atol=1e-5)


def test_eight_bit_codestream_in_sixteen_bit_cells(write_dicom: WriteDicom) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = read_radiograph(
        write_dicom(
            values.astype(np.uint16), syntax=JPEG + "80", frame=jpeg_ls(values, 8), BitsStored=8, HighBit=7
        )
    ).pixels
    assert np.allclose(pixels.ravel(), np.arange(256) / 255, atol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_what_lossy_coding_overshoots_stays_white(write_dicom: WriteDicom, signed: bool) -> None:
    top = 2047 if signed else 4095
    frame = jpeg_2000(np.full((16, 16), top + 5, np.int16 if signed else np.uint16), 16)
    cells = np.zeros((16, 16), np.int16 if signed else np.uint16)
    file = write_dicom(cells, syntax=JPEG + "91", frame=frame, BitsStored=12, HighBit=11)
    assert (read_radiograph(file).pixels == 1.0).all()


def test_jp2_boxes_around_the_codestream_are_passed_over(write_dicom: WriteDicom) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    boxed = bytes(imagecodecs.jpeg2k_encode(values, codecformat="jp2", level=0, bitspersample=12))
    pixels = read_radiograph(
        write_dicom(values, syntax=JPEG + "90", frame=boxed, BitsStored=12, HighBit=11)
    ).pixels
    assert np.allclose(pixels.ravel(), np.arange(4096) / 4095, atol=1e-5)


def test_a_frame_in_many_fragments(write_dicom: WriteDicom) -> None:
    from pydicom.encaps import encapsulate

    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    file = write_dicom(values, syntax=JPEG + "80", frame=jpeg_ls(values, 16))
    whole, split = (encapsulate([jpeg_ls(values, 16)], fragments_per_frame=n) for n in (1, 5))
    assert whole in file
    assert np.array_equal(read_radiograph(file.replace(whole, split)).pixels, read_radiograph(file).pixels)


@pytest.mark.parametrize("scanner", [0, 1, 2])
@pytest.mark.parametrize(
    ("syntax", "encode", "tolerance"),
    [
        (None, None, 0),
        (JPEG + "57", jpeg_lossless, 0),
        (JPEG + "70", jpeg_lossless, 0),
        (JPEG + "80", jpeg_ls, 0),
        (JPEG + "81", jpeg_ls_near, 2),
        (JPEG + "90", jpeg_2000, 0),
        (JPEG + "91", jpeg_2000_lossy, 100),
    ],
)
def test_the_scanners_show_the_same_xray(
    cxr_to_dicom: ModuleType,
    real_xray: NDArray[np.uint8],
    scanner: int,
    syntax: str | None,
    encode: Encode,
    tolerance: int,
) -> None:
    """Polarity, bits, rescale and syntax differ by scanner; the picture is the JPEG's own pixels."""
    settings = cxr_to_dicom.SCANNERS[scanner]
    ds = cxr_to_dicom.encode(real_xray, settings, random.Random(1), "person1", 1)
    if syntax is not None:
        _recompress(ds, syntax, encode)
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    radiograph = read_radiograph(file.getvalue())
    top = (1 << settings[4]) - 1
    assert np.abs(radiograph.pixels - real_xray / 255).max() <= (0.5 + tolerance) / top + 1e-5
    assert radiograph.attributes.photometric == settings[3]
    _assert_no_canary(radiograph)


def _recompress(ds: Any, syntax: str, encode: Encode) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    bits = ds.BitsStored
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        ds.decompress()
    cells = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    precision = 16 if encode is jpeg_lossless else bits
    ds.PixelData = encapsulate([encode(cells, precision)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)


def _assert_no_canary(radiograph: Radiograph) -> None:
    assert "CANARY" in radiograph.identity.patient_id
    assert "CANARY" not in repr(radiograph.attributes) + repr(radiograph.identity) + repr(radiograph)


def test_baseline_jpeg_written_by_another_encoder(
    write_dicom: WriteDicom, real_xray: NDArray[np.uint8]
) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(real_xray).save(jpeg, "JPEG", quality=95)
    pixels = read_radiograph(write_dicom(real_xray, syntax=JPEG + "50", frame=jpeg.getvalue())).pixels
    assert np.abs(pixels - real_xray / 255).max() < 0.05


def each_codec(values: NDArray[np.uint16]) -> dict[str, bytes]:
    return {
        RLE: rle(values, 16),
        JPEG + "51": jpeg_lossy(values, 12),
        JPEG + "70": jpeg_lossless(values, 16),
        JPEG + "80": jpeg_ls(values, 16),
        JPEG + "90": jpeg_2000(values, 16),
        JPEG + "201": htj2k(values, 16),
    }


def damaged() -> Iterator[Any]:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    frames, other = each_codec(values), each_codec(values[:32])
    for syntax, frame in frames.items():
        yield pytest.param(syntax, frame[: len(frame) // 2], id=f"{syntax}-half")
        yield pytest.param(syntax, frame[: len(frame) - 60], id=f"{syntax}-end-missing")
        yield pytest.param(syntax, b"\xff" * 200, id=f"{syntax}-garbage")
        yield pytest.param(syntax, b"", id=f"{syntax}-empty")
        yield pytest.param(syntax, other[syntax], id=f"{syntax}-other-size")


@pytest.mark.parametrize(("syntax", "frame"), list(damaged()))
def test_streams_that_can_not_be_decoded_whole_are_refused(
    write_dicom: WriteDicom, syntax: str, frame: bytes
) -> None:
    cells = np.zeros((64, 64), np.uint16)
    with pytest.raises(Refused) as refusal:
        read_radiograph(write_dicom(cells, syntax=syntax, frame=frame))
    assert refusal.value.reason is RefusalReason.DECODE_FAILED


def test_a_colour_stream_in_a_grey_data_set_is_refused(write_dicom: WriteDicom) -> None:
    colour = bytes(imagecodecs.jpeg8_encode(np.zeros((16, 16, 3), np.uint8)))
    with pytest.raises(Refused) as refusal:
        read_radiograph(write_dicom(np.zeros((16, 16), np.uint8), syntax=JPEG + "50", frame=colour))
    assert refusal.value.reason is RefusalReason.DECODE_FAILED


def test_a_stream_deeper_than_the_cells_is_refused(write_dicom: WriteDicom) -> None:
    deep = jpeg_ls(np.full((16, 16), 4000, np.uint16), 16)
    with pytest.raises(Refused, match="depth") as refusal:
        read_radiograph(write_dicom(np.zeros((16, 16), np.uint8), syntax=JPEG + "80", frame=deep))
    assert refusal.value.reason is RefusalReason.DECODE_FAILED


def test_a_codestream_of_countless_tiles_does_not_reach_the_decoder(write_dicom: WriteDicom) -> None:
    frame = bytearray(jpeg_2000(np.zeros((600, 600), np.uint16), 16))
    frame[24:32] = struct.pack(">2L", 1, 1)  # tiles of one pixel: 360,000 of them
    with pytest.raises(Refused) as refusal:
        read_radiograph(write_dicom(np.zeros((600, 600), np.uint16), syntax=JPEG + "90", frame=bytes(frame)))
    assert refusal.value.reason is RefusalReason.DECODE_FAILED
