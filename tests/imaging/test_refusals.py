"""What can't be used is refused: with its reason, one sentence, and nothing of the patient in it."""

import io
import os
import pickle
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.imaging import Limits, RefusalReason, Refused, read_radiograph

WriteDicom = Callable[..., bytes]
CELLS = np.arange(64, dtype=np.uint16).reshape(8, 8)
STORAGE = "1.2.840.10008.5.1.4.1.1."


def refusal(source: Any, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read_radiograph(source, **options)
    sentence = caught.value.message
    assert sentence.endswith(".") and sentence.count(". ") == 0 and "\n" not in sentence
    return caught.value


def reason(source: Any, **options: Any) -> RefusalReason:
    return refusal(source, **options).reason


def test_an_empty_file() -> None:
    assert reason(b"") is RefusalReason.EMPTY_FILE


@pytest.mark.parametrize(
    "data", [b"hello", b"label,file\n" * 100, b"\0" * 4096, b"\x89PNG\r\n\x1a\n" + b"x" * 400]
)
def test_what_is_not_dicom(data: bytes) -> None:
    assert reason(data) is RefusalReason.NOT_DICOM


def test_a_data_set_without_preamble(write_dicom: WriteDicom) -> None:
    assert reason(write_dicom(CELLS)[132:]) is RefusalReason.NOT_DICOM


@pytest.mark.parametrize(
    ("sop_class", "expected"),
    [
        (STORAGE + "2", RefusalReason.UNSUPPORTED_SOP_CLASS),  # CT
        (STORAGE + "4", RefusalReason.UNSUPPORTED_SOP_CLASS),  # MR
        (STORAGE + "1.2", RefusalReason.UNSUPPORTED_SOP_CLASS),  # mammography
        (STORAGE + "88.11", RefusalReason.UNSUPPORTED_SOP_CLASS),  # structured report
        ("1.2.840.10008.1.3.10", RefusalReason.UNSUPPORTED_SOP_CLASS),  # DICOMDIR
        (STORAGE + "7.3", RefusalReason.MULTI_FRAME),
        (STORAGE + "4.1", RefusalReason.MULTI_FRAME),
        (STORAGE + "104.1", RefusalReason.ENCAPSULATED_DOCUMENT),
    ],
)
def test_other_kinds_of_object(write_dicom: WriteDicom, sop_class: str, expected: RefusalReason) -> None:
    assert reason(write_dicom(CELLS, sop_class=sop_class)) is expected


@pytest.mark.parametrize("suffix", ["1", "1.1", "1.1.1", "7"])
def test_cr_dx_and_sc_are_read(write_dicom: WriteDicom, suffix: str) -> None:
    assert read_radiograph(write_dicom(CELLS, sop_class=STORAGE + suffix)).pixels.shape == (8, 8)


def test_the_names_of_the_sop_classes_are_what_they_are_taken_for() -> None:
    from pydicom.uid import UID

    from isocenter.imaging.sop_class import MULTI_FRAME, RADIOGRAPHS

    assert sorted(UID(uid).name for uid in RADIOGRAPHS) == [
        "Computed Radiography Image Storage",
        "Digital X-Ray Image Storage - For Presentation",
        "Digital X-Ray Image Storage - For Processing",
        "Secondary Capture Image Storage",
    ]
    words = ("Enhanced", "Multi-frame", "3D", "Tomosynthesis")
    assert all(any(word in UID(uid).name for word in words) for uid in MULTI_FRAME)


def test_the_sop_class_of_the_file_meta_stands_in(write_dicom: WriteDicom) -> None:
    assert reason(write_dicom(CELLS, sop_class=STORAGE + "2", without=("SOPClassUID",))) is (
        RefusalReason.UNSUPPORTED_SOP_CLASS
    )


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"NumberOfFrames": 2}, RefusalReason.MULTI_FRAME),
        ({"NumberOfFrames": "x"}, RefusalReason.BAD_HEADER),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, RefusalReason.COLOUR),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, RefusalReason.COLOUR),
        ({"PhotometricInterpretation": "YBR_FULL"}, RefusalReason.COLOUR),
        ({"PhotometricInterpretation": ""}, RefusalReason.BAD_HEADER),
        ({"Rows": 0}, RefusalReason.BAD_HEADER),
        ({"Rows": [8, 8]}, RefusalReason.BAD_HEADER),
        ({"BitsAllocated": 32}, RefusalReason.BAD_HEADER),
        ({"BitsAllocated": 12}, RefusalReason.BAD_HEADER),
        ({"BitsAllocated": 1}, RefusalReason.BAD_HEADER),
        ({"BitsStored": 17}, RefusalReason.BAD_HEADER),
        ({"BitsStored": 0}, RefusalReason.BAD_HEADER),
        ({"BitsStored": 12, "HighBit": 10}, RefusalReason.BAD_HEADER),
        ({"HighBit": 16}, RefusalReason.BAD_HEADER),
        ({"PixelRepresentation": 2}, RefusalReason.BAD_HEADER),
        ({"Rows": 9}, RefusalReason.PIXEL_LENGTH_MISMATCH),
        ({"Rows": 7}, RefusalReason.PIXEL_LENGTH_MISMATCH),
        ({"PixelData": b""}, RefusalReason.NO_PIXEL_DATA),
    ],
)
def test_attributes_that_can_not_be_used(
    write_dicom: WriteDicom, attributes: dict[str, Any], expected: RefusalReason
) -> None:
    assert reason(write_dicom(CELLS, **attributes)) is expected


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation"],
)
def test_required_attributes_that_are_absent(write_dicom: WriteDicom, keyword: str) -> None:
    found = refusal(write_dicom(CELLS, without=(keyword,)))
    assert found.reason is RefusalReason.BAD_HEADER
    assert keyword in found.message


def test_no_pixel_data(write_dicom: WriteDicom) -> None:
    assert reason(write_dicom(CELLS, without=("PixelData",))) is RefusalReason.NO_PIXEL_DATA


@pytest.mark.parametrize("keyword", ["HighBit", "SamplesPerPixel"])
def test_what_follows_from_the_rest_may_be_absent(write_dicom: WriteDicom, keyword: str) -> None:
    assert read_radiograph(write_dicom(CELLS, without=(keyword,))).pixels.max() > 0


def test_one_pad_byte_is_no_mismatch(write_dicom: WriteDicom) -> None:
    odd = np.arange(9, dtype=np.uint8).reshape(3, 3)
    padded = write_dicom(odd)
    assert read_radiograph(padded).pixels[2, 2] == pytest.approx(8 / 255, abs=1e-5)


def test_unknown_transfer_syntax(write_dicom: WriteDicom) -> None:
    mpeg = write_dicom(CELLS, syntax="1.2.840.10008.1.2.4.100", frame=b"12345678")
    assert reason(mpeg) is RefusalReason.UNSUPPORTED_TRANSFER_SYNTAX


def test_fragments_under_an_uncompressed_syntax(write_dicom: WriteDicom) -> None:
    packed = write_dicom(CELLS, syntax="1.2.840.10008.1.2.4.80", frame=b"12345678")
    lying = packed.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.1\0\0\0")
    assert reason(lying) is RefusalReason.UNSUPPORTED_TRANSFER_SYNTAX


def test_every_cut_is_refused_or_harmless(write_dicom: WriteDicom) -> None:
    """A file cut at any byte is refused, or (behind the pixels) reads as if it were whole."""
    whole = write_dicom(CELLS, Manufacturer="Acme", WindowCenter="31.5", WindowWidth="64")
    reasons = {reason(whole[:size]) for size in range(len(whole))}
    assert reasons <= {
        RefusalReason.EMPTY_FILE,
        RefusalReason.NOT_DICOM,
        RefusalReason.TRUNCATED,
        RefusalReason.NO_PIXEL_DATA,
        RefusalReason.BAD_HEADER,
    }
    assert reason(whole[:-1]) is RefusalReason.TRUNCATED
    assert reason(whole[: len(whole) // 2]) is RefusalReason.TRUNCATED


def test_a_cut_compressed_file(write_dicom: WriteDicom) -> None:
    import imagecodecs

    frame = bytes(imagecodecs.jpegls_encode(CELLS))
    whole = write_dicom(CELLS, syntax="1.2.840.10008.1.2.4.80", frame=frame)
    assert reason(whole[: len(whole) - 30]) is RefusalReason.TRUNCATED


def test_too_many_pixels_are_refused_before_the_pixel_data_are_looked_at(write_dicom: WriteDicom) -> None:
    # 65,535 x 65,535 cells of 16 bits: 8 GB that the file doesn't have.
    assert reason(write_dicom(CELLS, Rows=65535, Columns=65535)) is RefusalReason.TOO_LARGE
    assert reason(write_dicom(CELLS), limits=Limits(pixels=63)) is RefusalReason.TOO_LARGE
    assert reason(write_dicom(CELLS), limits=Limits(side=7)) is RefusalReason.TOO_LARGE
    assert read_radiograph(write_dicom(CELLS), limits=Limits(pixels=64, side=8)).pixels.shape == (8, 8)


def test_a_stream_longer_than_the_limit(write_dicom: WriteDicom) -> None:
    data = write_dicom(CELLS)
    assert reason(io.BytesIO(data), limits=Limits(file_bytes=len(data) - 1)) is RefusalReason.TOO_LARGE
    assert read_radiograph(io.BytesIO(data), limits=Limits(file_bytes=len(data))).pixels.shape == (8, 8)


def deflated(write_dicom: WriteDicom, inflated: bytes, *, keep: float = 1.0) -> bytes:
    syntax = "1.2.840.10008.1.2.1.99"
    whole = write_dicom(CELLS, syntax=syntax)
    meta_length = struct.unpack_from("<L", whole, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(inflated) + packer.flush()
    return whole[: 144 + meta_length] + packed[: int(len(packed) * keep)]


def test_a_deflate_bomb_stops_at_the_limit(write_dicom: WriteDicom) -> None:
    import tracemalloc

    bomb = deflated(write_dicom, bytes(40_000_000))
    assert len(bomb) < 50_000
    tracemalloc.start()
    assert reason(bomb, limits=Limits(inflated_bytes=1_000_000)) is RefusalReason.TOO_LARGE
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_deflated_data_that_end_early_or_are_no_deflate(write_dicom: WriteDicom) -> None:
    noise = np.random.default_rng(0).bytes(10_000)
    assert reason(deflated(write_dicom, noise, keep=0.5)) is RefusalReason.TRUNCATED
    start = deflated(write_dicom, b"")[:-2]
    assert reason(start + b"\xff" * 100) is RefusalReason.DECODE_FAILED


def test_files_that_the_system_does_not_give(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, tmp_path / "absent", loop, pipe, Path("/dev/null"), Path("nul\0l")):
        assert reason(path) is RefusalReason.UNREADABLE


def test_a_file_without_permission(write_dicom: WriteDicom) -> None:
    handle, name = tempfile.mkstemp(suffix="CANARY.dcm")
    os.write(handle, write_dicom(CELLS))
    os.fchmod(handle, 0)
    os.close(handle)
    try:
        code, sentence = _seen_without_root(Path(name)).split("|")
    finally:
        Path(name).unlink()
    assert code == RefusalReason.UNREADABLE
    assert "CANARY" not in sentence


def _seen_without_root(path: Path) -> str:
    """What the reader says of ``path`` to a user who isn't root, whom no permission stops."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            read_radiograph(path)
        except Refused as refused:
            os.write(writer, f"{refused.reason}|{refused}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        return stream.read()


def test_a_name_with_newline_and_umlaut(write_dicom: WriteDicom, tmp_path: Path) -> None:
    path = tmp_path / "Ü\nCANARY.dcm"
    path.write_bytes(write_dicom(CELLS))
    assert read_radiograph(path).pixels.shape == (8, 8)
    path.write_bytes(b"")
    assert "CANARY" not in str(refusal(path))


def test_a_header_longer_than_the_first_read(write_dicom: WriteDicom, tmp_path: Path) -> None:
    path = tmp_path / "long.dcm"
    data = write_dicom(CELLS, EncapsulatedDocument=bytes(600_000))
    path.write_bytes(data)
    assert np.array_equal(read_radiograph(path).pixels, read_radiograph(data).pixels)
    assert reason(path, limits=Limits(file_bytes=500_000)) is RefusalReason.TOO_LARGE


@pytest.mark.parametrize("size", [300, 400_000])
def test_path_bytes_and_stream_read_alike(write_dicom: WriteDicom, tmp_path: Path, size: int) -> None:
    cells = np.random.default_rng(0).integers(0, 65536, (size // 100, 50)).astype(np.uint16)
    data = write_dicom(cells)
    path = tmp_path / "x.dcm"
    path.write_bytes(data)
    ours = [read_radiograph(source).pixels for source in (path, data, io.BytesIO(data))]
    assert all(np.array_equal(pixels, ours[0]) for pixels in ours)
    path.write_bytes(data[:-1])
    assert reason(path) is RefusalReason.TRUNCATED


def test_a_refusal_crosses_processes() -> None:
    found = refusal(b"")
    again = pickle.loads(pickle.dumps(found))
    assert (again.reason, again.message, again.exit_code) == (found.reason, found.message, 3)


def test_every_reason_has_its_code() -> None:
    assert {str(reason) for reason in RefusalReason} == {
        "empty-file", "not-dicom", "truncated", "unreadable", "unsupported-sop-class", "multi-frame",
        "colour", "encapsulated-document", "no-pixel-data", "too-large", "pixel-length-mismatch",
        "unsupported-transfer-syntax", "decode-failed", "bad-header",
    }  # fmt: skip
