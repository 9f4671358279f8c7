"""The walker over data elements, held against pydicom's parser on the same bytes."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.imaging import RefusalReason, Refused
from isocenter.imaging.data_elements import UNDEFINED, Encoding, first_item, walk

WriteDicom = Callable[..., bytes]
EXPLICIT = Encoding(explicit=True, little=True)
IMPLICIT = Encoding(explicit=False, little=True)


def nested(depth: int, *, undefined: bool) -> Dataset:
    """Sequences in sequences, each with a value beside."""
    ds = Dataset()
    ds.SeriesDescription = f"depth {depth}"
    if depth:
        ds.ReferencedSeriesSequence = [nested(depth - 1, undefined=undefined), Dataset()]
        ds["ReferencedSeriesSequence"].is_undefined_length = undefined
        for item in ds.ReferencedSeriesSequence:
            item.is_undefined_length_sequence_item = undefined
    return ds


def as_pydicom_sees_it(file: bytes) -> dict[int, bytes | None]:
    """Top-level tags; values where they are of defined length."""
    ds = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
    found = {}
    for tag in ds.keys():  # noqa: SIM118 - a Dataset iterates over converted elements
        raw = ds.get_item(tag)
        found[int(tag)] = raw.value or b"" if isinstance(raw, pydicom.dataelem.RawDataElement) else None
    return found


def as_we_see_it(file: bytes, start: int, encoding: Encoding) -> dict[int, bytes | None]:
    found: dict[int, bytes | None] = {}
    for element in walk(file, start, len(file), encoding):
        if element.tag == 0x7FE00010:
            break
        found[element.tag] = None if element.length == UNDEFINED else element.value(file)
    return found


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize(
    ("syntax", "encoding"),
    [
        ("1.2.840.10008.1.2", IMPLICIT),
        ("1.2.840.10008.1.2.1", EXPLICIT),
        ("1.2.840.10008.1.2.2", Encoding(explicit=True, little=False)),
    ],
)
def test_written_by_pydicom(
    write_dicom: WriteDicom, syntax: str, encoding: Encoding, undefined: bool
) -> None:
    extra: dict[str, Any] = {
        "RequestAttributesSequence": nested(4, undefined=undefined).ReferencedSeriesSequence,
        "Manufacturer": "Acme",
    }
    file = write_dicom(np.zeros((4, 4), np.uint16), syntax=syntax, **extra)
    start = 144 + struct.unpack_from("<L", file, 140)[0]
    ours, theirs = as_we_see_it(file, start, encoding), as_pydicom_sees_it(file)
    assert list(ours) == list(theirs)
    assert {tag: value for tag, value in ours.items() if theirs[tag] is not None} == {
        tag: value for tag, value in theirs.items() if value is not None
    }


NAMES = [
    "693_J2KR",
    "JLSL_16_15_1_1F",
    "JPEG-LL",
    "JPGLosslessP14SV1_1s_1f_8b",
    "MR2_J2KI",
    "OBXXXX1A_rle",
    "RG3_J2KR",
    "SC_rgb_16bit_2frame",
    "color-pl",
    "emri_small",
    "explicit_VR-UN",
    "highdicom_dx_thorax",
]


@pytest.mark.parametrize("name", NAMES)
def test_real_files(shared_data: Path, name: str) -> None:
    file = (shared_data / "dicom" / f"{name}.dcm").read_bytes()
    ds = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
    start = 144 + ds.file_meta.FileMetaInformationGroupLength
    explicit = not ds.file_meta.TransferSyntaxUID.is_implicit_VR
    ours, theirs = as_we_see_it(file, start, Encoding(explicit, little=True)), as_pydicom_sees_it(file)
    assert list(ours) == list(theirs)
    assert all(
        ours[tag] == value for tag, value in theirs.items() if value is not None and ours[tag] is not None
    )


def element(tag: int, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """One explicit little-endian element."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT")
    return head + (struct.pack("<HL", 0, size) if long else struct.pack("<H", size)) + value


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, size) + value


ITEM, END_ITEM, END_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
AFTER = element(0x00100020, b"LO", b"after ")


@pytest.mark.parametrize(
    "sequence",
    [
        # Items of implicit VR in an explicit data set, as some writers leave them.
        element(0x00081111, b"SQ", b"", length=UNDEFINED)
        + implicit(ITEM, b"", length=UNDEFINED)
        + implicit(0x00081150, b"1.2.3\0")
        + implicit(END_ITEM, b"")
        + implicit(END_SEQUENCE, b""),
        # UN of undefined length holds implicit items (PS3.5 section 6.2.2), here with a length like "AA".
        element(0x00091010, b"UN", b"", length=UNDEFINED)
        + implicit(ITEM, b"", length=UNDEFINED)
        + implicit(0x00091011, b"x" * 0x4141)
        + implicit(END_ITEM, b"")
        + implicit(END_SEQUENCE, b""),
        # Encapsulated pixels of an icon, within an item.
        element(0x00880200, b"SQ", b"", length=UNDEFINED)
        + implicit(ITEM, b"", length=UNDEFINED)
        + element(0x7FE00010, b"OB", b"", length=UNDEFINED)
        + implicit(ITEM, b"")
        + implicit(ITEM, b"\xfe\xff\xdd\xe0\0\0\0\0")
        + implicit(END_SEQUENCE, b"")
        + implicit(END_ITEM, b"")
        + implicit(END_SEQUENCE, b""),
        # An unknown VR of two capital letters has a 16-bit length.
        element(0x00091010, b"ZZ", b"1234"),
    ],
    ids=["implicit-items", "un-items", "icon", "unknown-vr"],
)
def test_unusual_elements_are_passed_over(sequence: bytes) -> None:
    data = sequence + AFTER
    found = list(walk(data, 0, len(data), EXPLICIT))
    assert [e.tag for e in found][1:] == [0x00100020]
    assert found[-1].value(data) == b"after "


def test_the_first_item_of_a_sequence() -> None:
    inner = element(0x00283002, b"US", b"\1\0\0\0\x08\0")
    for data in (
        element(0x00283010, b"SQ", implicit(ITEM, inner) + implicit(ITEM, AFTER)),
        element(0x00283010, b"SQ", implicit(ITEM, b"", length=UNDEFINED) + inner + implicit(END_ITEM, b"")),
    ):
        sequence = next(walk(data, 0, len(data), EXPLICIT))
        assert [e.tag for e in first_item(data, sequence, EXPLICIT)] == [0x00283002]


def test_thousands_of_nested_sequences_are_no_recursion() -> None:
    opening = element(0x00081111, b"SQ", b"", length=UNDEFINED) + implicit(ITEM, b"", length=UNDEFINED)
    closing = implicit(END_ITEM, b"") + implicit(END_SEQUENCE, b"")
    data = opening * 20_000 + closing * 20_000 + AFTER
    assert [e.tag for e in walk(data, 0, len(data), EXPLICIT)] == [0x00081111, 0x00100020]
    with pytest.raises(Refused) as refusal:
        list(walk(data[:-30], 0, len(data) - 30, EXPLICIT))
    assert refusal.value.reason is RefusalReason.TRUNCATED
