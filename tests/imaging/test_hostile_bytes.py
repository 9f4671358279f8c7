"""Any bytes give a radiograph or a refusal: no other error, warning, log line, output, or flood of memory."""

import logging
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.imaging import RefusalReason, Refused, read_radiograph
from isocenter.imaging.reader import UNFORESEEN
from isocenter.imaging.tags import Tag

WriteDicom = Callable[..., bytes]
JPEG = "1.2.840.10008.1.2.4."
CELLS = (np.arange(24 * 16, dtype=np.uint16) * 10).reshape(24, 16)
BOUNDED = settings(max_examples=50, deadline=None)


@pytest.fixture(autouse=True)
def nothing_is_said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert [r for r in caplog.records if not r.name.startswith("hypothesis")] == []
    assert capfd.readouterr() == ("", "")


def survive(data: bytes) -> RefusalReason | None:
    """Read; the refusal's reason, or None for a radiograph that keeps its promises."""
    try:
        radiograph = read_radiograph(data)
    except Refused as refused:
        assert refused.message != UNFORESEEN, refused.__context__
        return refused.reason
    pixels = radiograph.pixels
    assert pixels.dtype == np.float32
    assert pixels.shape == (radiograph.attributes.rows, radiograph.attributes.columns)
    assert pixels.min() >= 0.0
    assert pixels.max() <= 1.0
    return None


def _runs(value: int) -> bytes:
    """An RLE segment of 384 literal bytes."""
    return (b"\x7f" + bytes([value]) * 128) * 3


@cache
def _frames() -> dict[str, bytes]:
    bytes8 = (CELLS >> 4).astype(np.uint8)
    return {
        "1.2.840.10008.1.2.5": struct.pack("<16L", 2, 64, 64 + 387, *[0] * 13) + _runs(0) + _runs(1),
        JPEG + "50": bytes(imagecodecs.jpeg8_encode(bytes8)),
        JPEG + "51": bytes(imagecodecs.jpeg8_encode(CELLS, level=90, bitspersample=12)),
        JPEG + "70": bytes(imagecodecs.jpeg8_encode(CELLS, lossless=True, bitspersample=16)),
        JPEG + "80": bytes(imagecodecs.jpegls_encode(CELLS)),
        JPEG + "90": bytes(imagecodecs.jpeg2k_encode(CELLS, codecformat="j2k", level=0)),
        JPEG + "201": bytes(imagecodecs.htj2k_encode(CELLS)),
    }


def _bases(write_dicom: WriteDicom) -> list[bytes]:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new(0x00283002, "US", [3, 10, 12])
    item.add_new(0x00283006, "US", [0, 4095, 17])
    rich: dict[str, Any] = {
        "VOILUTSequence": [item],
        "RescaleSlope": "1",
        "RescaleIntercept": "0",
        "PixelPaddingValue": 3,
        "Manufacturer": "Acme",
        "PatientAge": "050Y",
    }
    window = {"WindowCenter": "100", "WindowWidth": "300", "VOILUTFunction": "SIGMOID"}
    native = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
    files = [write_dicom(CELLS, syntax=syntax, **rich) for syntax in native]
    for syntax, frame in _frames().items():
        cells = CELLS.astype(np.uint8) if syntax == JPEG + "50" else CELLS
        files.append(write_dicom(cells, syntax=syntax, frame=frame, **window))
    return files


@pytest.fixture(scope="module")
def bases(write_dicom: WriteDicom) -> list[bytes]:
    files = _bases(write_dicom)
    assert [survive(file) for file in files] == [None] * len(files)
    return files


EDIT = st.tuples(
    st.floats(0, 1), st.sampled_from(["set", "insert", "delete"]), st.binary(min_size=1, max_size=8)
)


@pytest.mark.parametrize("base", range(11))
@BOUNDED
@given(edits=st.lists(EDIT, min_size=1, max_size=6), keep=st.just(1.0) | st.floats(0.3, 1))
def test_damaged_files(bases: list[bytes], base: int, edits: list[Any], keep: float) -> None:
    data = bytearray(bases[base])
    for where, kind, value in edits:
        at = 128 + int(where * (len(data) - 129))
        if kind == "set":
            data[at : at + len(value)] = value
        elif kind == "insert":
            data[at:at] = value
        else:
            del data[at : at + len(value)]
    survive(bytes(data[: int(len(data) * keep)]))


@BOUNDED
@given(data=st.binary(max_size=400), explicit=st.booleans())
def test_random_bytes_behind_the_mark(data: bytes, explicit: bool) -> None:
    survive(bytes(128) + b"DICM" + data)
    syntax = b"1.2.840.10008.1.2.1\0" if explicit else b"1.2.840.10008.1.2\0"
    survive(bytes(128) + b"DICM\2\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax + data)


ODD = [b"", b"\0\0", b"\1\0", b"\x10\0", b"\xff\xff", b"0", b"-1", b"1e9", b"1e-9", b"1e400", b"nan"]
VALUE = (
    st.binary(max_size=12)
    | st.sampled_from(ODD)
    | st.integers(0, 65535).map(lambda number: number.to_bytes(2, "little"))
)
READ = st.sampled_from([tag for tag in Tag if tag != Tag.PIXEL_DATA])


@BOUNDED
@given(replaced=st.lists(st.dictionaries(READ, VALUE, max_size=4), min_size=4, max_size=4))
def test_any_values_in_the_attributes_that_are_read(
    write_dicom: WriteDicom, replaced: list[dict[Tag, bytes]]
) -> None:
    """A sound file of implicit VR, some of whose attributes have other values."""
    for values in replaced:
        elements = sorted((_elements(write_dicom(CELLS)) | values).items())
        survive(bytes(128) + b"DICM" + b"".join(_implicit(tag, value) for tag, value in elements))


def _implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


@cache
def _elements(file: bytes) -> dict[int, bytes]:
    from isocenter.imaging.data_elements import Encoding, walk

    start = 144 + struct.unpack_from("<L", file, 140)[0]
    return {e.tag: e.value(file) for e in walk(file, start, len(file), Encoding(explicit=True, little=True))}


def test_countless_empty_elements_cost_no_memory(write_dicom: WriteDicom) -> None:
    base = write_dicom(CELLS)
    start = 144 + struct.unpack_from("<L", base, 140)[0]
    many = [struct.pack("<HH2sH", group, number, b"LO", 0) for group in (9, 11) for number in range(65536)]
    _assert_frugal(base[:start] + b"".join(many) + base[start:], None)


def test_countless_empty_fragments_are_refused(write_dicom: WriteDicom) -> None:
    file = write_dicom(CELLS, syntax=JPEG + "70", frame=_frames()[JPEG + "70"])
    end = file.rindex(b"\xfe\xff\xdd\xe0")
    _assert_frugal(file[:end] + b"\xfe\xff\x00\xe0\0\0\0\0" * 40_000, RefusalReason.DECODE_FAILED)


def _assert_frugal(data: bytes, expected: RefusalReason | None) -> None:
    """Objects for each element or fragment would take more than 7 MB here."""
    tracemalloc.start()
    try:
        assert survive(data) is expected
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
