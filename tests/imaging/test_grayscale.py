"""Stored value to display value, against numbers worked out by hand from the standard's formulae."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from isocenter.imaging import RefusalReason, Refused, read_radiograph

WriteDicom = Callable[..., bytes]
# Half a step of the display values, and float32's own rounding.
STEP = 0.501 / 65535


def shown(file: bytes) -> list[float]:
    return [float(value) for value in read_radiograph(file).pixels.ravel()]


def row(*values: int, kind: str = "u2") -> np.ndarray:
    return np.array([values], kind)


def lut_item(first: int, bits: int, entries: list[int], *, vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new(0x00283006, vr, entries if vr == "US" else np.array(entries, "<u2").tobytes())
    return item


# PS3.3 C.11.2.1.2.1 gives these four windows as its examples, with the bounds and the line between them.
@pytest.mark.parametrize(
    ("centre", "width", "stored", "expected"),
    [
        (2048, 4096, [0, 1, 2048, 4095], [0.0, 1 / 4095, 2048 / 4095, 1.0]),
        (2048, 1, [2047, 2048], [0.0, 1.0]),
        (0, 100, [-51, -50, 0, 49, 50], [0.0, 0.0, 0.5 / 99 + 0.5, 1.0, 1.0]),
        (0, 1, [-1, 0], [0.0, 1.0]),
    ],
)
def test_linear_window(
    write_dicom: WriteDicom, centre: int, width: int, stored: list[int], expected: list[float]
) -> None:
    file = write_dicom(row(*stored, kind="i2"), WindowCenter=centre, WindowWidth=width)
    assert shown(file) == pytest.approx(expected, abs=STEP)


# PS3.3 C.11.2.1.3.2: y = ((x - c) / w + 0.5), without the half and the one of LINEAR.
def test_linear_exact_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(0, 1024, 2048, 4096, 5000), WindowCenter=2048, WindowWidth=4096, VOILUTFunction="LINEAR_EXACT"
    )
    assert shown(file) == pytest.approx([0.0, 0.25, 0.5, 1.0, 1.0], abs=STEP)


# PS3.3 C.11.2.1.3.1: y = 1 / (1 + exp(-4 (x - c) / w)).
def test_sigmoid_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0, 100, 200, 150), WindowCenter=100, WindowWidth=100, VOILUTFunction="SIGMOID")
    expected = [1 / (1 + math.e**4), 0.5, 1 / (1 + math.e**-4), 1 / (1 + math.e**-2)]
    assert shown(file) == pytest.approx(expected, abs=STEP)


def test_without_a_window_the_full_range_of_the_stored_bits_is_shown(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0, 1023, 512), BitsStored=10, HighBit=9)
    assert shown(file) == pytest.approx([0.0, 1.0, 512 / 1023], abs=STEP)


def test_signed_values_without_a_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(-2048, 2047, 0, kind="i2"), BitsStored=12, HighBit=11)
    assert shown(file) == pytest.approx([0.0, 1.0, 2048 / 4095], abs=STEP)


def test_bits_above_the_high_bit_are_ignored(write_dicom: WriteDicom) -> None:
    # 0xF in the four unused bits: overlay planes were kept there once.
    file = write_dicom(row(0xF000, 0xFFFF, 0xF800), BitsStored=12, HighBit=11)
    assert shown(file) == pytest.approx([0.0, 1.0, 0x800 / 4095], abs=STEP)


def test_sign_is_extended_from_the_stored_bits(write_dicom: WriteDicom) -> None:
    # 0x0FFF is -1 in 12 bits.
    file = write_dicom(row(0x0FFF, 0x0001), BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert shown(file) == pytest.approx([2047 / 4095, 2049 / 4095], abs=STEP)


def test_a_high_bit_at_the_top_shifts_the_value_down(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0x0000, 0xFFF0, 0x8000, 0x800F), BitsStored=12, HighBit=15)
    assert shown(file) == pytest.approx([0.0, 1.0, 2048 / 4095, 2048 / 4095], abs=STEP)


def test_signed_value_at_a_high_bit_at_the_top(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0x8000, 0x7FF0, 0xFFF0), BitsStored=12, HighBit=15, PixelRepresentation=1)
    assert shown(file) == pytest.approx([0.0, 1.0, 2047 / 4095], abs=STEP)


def test_rescale_comes_before_the_window(write_dicom: WriteDicom) -> None:
    # value = 2 x - 100; window 0..100 exactly.
    file = write_dicom(
        row(50, 75, 100),
        RescaleSlope="2",
        RescaleIntercept="-100",
        WindowCenter="50",
        WindowWidth="100",
        VOILUTFunction="LINEAR_EXACT",
    )
    assert shown(file) == pytest.approx([0.0, 0.5, 1.0], abs=STEP)


def test_a_negative_slope_turns_the_full_range_round(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0, 255, kind="u1"), RescaleSlope="-1", RescaleIntercept="255")
    assert shown(file) == [1.0, 0.0]


def test_the_first_of_several_windows_is_used(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(40, 90), WindowCenter=["40", "450"], WindowWidth=["100", "1500"], VOILUTFunction="LINEAR_EXACT"
    )
    assert shown(file) == pytest.approx([0.5, 1.0], abs=STEP)


def test_monochrome1_is_inverted_once_after_the_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(0, 25, 100),
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter="50",
        WindowWidth="100",
        VOILUTFunction="LINEAR_EXACT",
    )
    assert shown(file) == pytest.approx([1.0, 0.75, 0.0], abs=STEP)


def test_monochrome1_without_a_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0, 51, 255, kind="u1"), PhotometricInterpretation="MONOCHROME1")
    assert shown(file) == pytest.approx([1.0, 0.8, 0.0], abs=STEP)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_in_both_polarities(write_dicom: WriteDicom, photometric: str) -> None:
    file = write_dicom(
        row(4095, 2000, 2000),
        BitsStored=12,
        HighBit=11,
        PhotometricInterpretation=photometric,
        PixelPaddingValue=4095,
    )
    values = shown(file)
    assert values[0] == 0.0
    assert values[1] == values[2] > 0.4


def test_padding_range_includes_both_ends_in_either_order(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(9, 10, 15, 20, 21), BitsStored=8, HighBit=7, PixelPaddingValue=20, PixelPaddingRangeLimit=10
    )
    assert shown(file) == pytest.approx([9 / 255, 0.0, 0.0, 0.0, 21 / 255], abs=STEP)


def test_signed_padding(write_dicom: WriteDicom) -> None:
    padding = Dataset()
    padding.add_new(0x00280120, "SS", -2000)
    file = write_dicom(row(-2000, 0, kind="i2"), PixelPaddingValue=padding[0x00280120].value)
    assert shown(file) == pytest.approx([0.0, 32768 / 65535], abs=STEP)


@pytest.mark.parametrize("vr", ["US", "OW"])
def test_voi_lut(write_dicom: WriteDicom, vr: str) -> None:
    # Four entries of 10 bits for inputs 100..103; what is below or above takes the nearest entry.
    file = write_dicom(
        row(0, 100, 101, 102, 103, 9999), VOILUTSequence=[lut_item(100, 10, [0, 1023, 341, 682], vr=vr)]
    )
    assert shown(file) == pytest.approx([0.0, 0.0, 1.0, 1 / 3, 2 / 3, 2 / 3], abs=STEP)


def test_voi_lut_of_eight_bits_with_inputs_beyond_eight_bits(write_dicom: WriteDicom) -> None:
    entries = [0] * 300 + [255] * 300
    file = write_dicom(row(0, 299, 300, 556, 65535), VOILUTSequence=[lut_item(0, 8, entries)])
    assert shown(file) == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_voi_lut_entries_packed_as_bytes(write_dicom: WriteDicom) -> None:
    item = Dataset()
    item.add_new(0x00283002, "US", [4, 0, 8])
    item.add_new(0x00283006, "OW", bytes([0, 51, 102, 255]))
    assert shown(write_dicom(row(0, 1, 2, 3), VOILUTSequence=[item])) == pytest.approx(
        [0.0, 0.2, 0.4, 1.0], abs=STEP
    )


def test_voi_lut_with_a_negative_first_input(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(-3, -2, -1, 0, kind="i2"), VOILUTSequence=[lut_item(-2, 8, [0, 51, 255])])
    assert shown(file) == pytest.approx([0.0, 0.0, 0.2, 1.0], abs=STEP)


def test_a_voi_lut_goes_before_a_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(0, 1), VOILUTSequence=[lut_item(0, 8, [255, 0])], WindowCenter="1", WindowWidth="2"
    )
    assert shown(file) == [1.0, 0.0]


def test_voi_lut_with_65536_entries(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(0, 21845, 65535), VOILUTSequence=[lut_item(0, 16, list(range(65535, -1, -1)), vr="OW")]
    )
    assert shown(file) == pytest.approx([1.0, 2 / 3, 0.0], abs=STEP)


def test_modality_lut_then_full_range_of_its_bits(write_dicom: WriteDicom) -> None:
    file = write_dicom(row(0, 1, 2, 7), ModalityLUTSequence=[lut_item(0, 8, [255, 0, 51])])
    assert shown(file) == pytest.approx([1.0, 0.0, 0.2, 0.2], abs=STEP)


def test_modality_lut_then_window(write_dicom: WriteDicom) -> None:
    file = write_dicom(
        row(0, 1, 2),
        ModalityLUTSequence=[lut_item(0, 16, [1000, 1050, 1100])],
        WindowCenter="1050",
        WindowWidth="100",
        VOILUTFunction="LINEAR_EXACT",
    )
    assert shown(file) == pytest.approx([0.0, 0.5, 1.0], abs=STEP)


@pytest.mark.parametrize("length", ["defined", "undefined"])
def test_lut_sequences_of_defined_and_undefined_length(write_dicom: WriteDicom, length: str) -> None:
    item = lut_item(0, 8, [255, 0])
    item.is_undefined_length_sequence_item = length == "undefined"
    ds = Dataset()
    ds.VOILUTSequence = [item]
    ds["VOILUTSequence"].is_undefined_length = length == "undefined"
    assert shown(write_dicom(row(0, 1), VOILUTSequence=ds.VOILUTSequence)) == [1.0, 0.0]


@pytest.mark.parametrize("empty", [{"VOILUTSequence": []}, {"WindowCenter": "", "WindowWidth": ""}])
def test_empty_voi_attributes_mean_none(write_dicom: WriteDicom, empty: dict[str, Any]) -> None:
    assert shown(write_dicom(row(0, 65535), **empty)) == [0.0, 1.0]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_every_uncompressed_encoding_reads_alike(write_dicom: WriteDicom, syntax: str) -> None:
    rng = np.random.default_rng(1)
    for kind in ("u1", "u2", "i2"):
        cells = rng.integers(0, 100, (5, 7)).astype(kind)
        options = {"VOILUTSequence": [lut_item(10, 12, list(range(0, 4096, 63)))], "PixelPaddingValue": 4}
        same = read_radiograph(write_dicom(cells, **options))
        other = read_radiograph(write_dicom(cells, syntax=syntax, **options))
        assert np.array_equal(same.pixels, other.pixels)
        assert len(np.unique(same.pixels)) > 15


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"RescaleSlope": "abc", "RescaleIntercept": "0"}, "rescale slope"),
        ({"RescaleSlope": "0", "RescaleIntercept": "0"}, "rescale slope"),
        ({"RescaleSlope": "1", "RescaleIntercept": "nan"}, "rescale intercept"),
        ({"RescaleSlope": "1e300", "RescaleIntercept": "0"}, "rescale slope"),
        ({"RescaleSlope": "1e-11", "RescaleIntercept": "1e12"}, "rescale slope"),
        ({"WindowCenter": "x", "WindowWidth": "10"}, "window centre"),
        ({"WindowCenter": "5", "WindowWidth": "0"}, "window"),
        ({"WindowCenter": "5", "WindowWidth": "-4"}, "window"),
        ({"WindowCenter": "5", "WindowWidth": "4", "VOILUTFunction": "CUBIC"}, "VOI LUT function"),
    ],
)
def test_transforms_that_mean_nothing_are_refused(
    write_dicom: WriteDicom, attributes: dict[str, Any], word: str
) -> None:
    with pytest.raises(Refused, match=word) as refusal:
        read_radiograph(write_dicom(row(0, 1), **attributes))
    assert refusal.value.reason is RefusalReason.BAD_HEADER


@pytest.mark.parametrize("descriptor", [[4, 0, 8], [2, 0, 7], [2, 0, 17], [2, 0]])
def test_lookup_tables_that_do_not_fit_their_descriptor_are_refused(
    write_dicom: WriteDicom, descriptor: list[int]
) -> None:
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "US", [1, 2, 3][: 3 if descriptor[0] == 4 else 2])
    if descriptor[0] == 4:
        item[0x00283006].value = [1]
    with pytest.raises(Refused, match="lookup table") as refusal:
        read_radiograph(write_dicom(row(0, 1), VOILUTSequence=[item]))
    assert refusal.value.reason is RefusalReason.BAD_HEADER


def test_a_lookup_table_without_data_is_refused(write_dicom: WriteDicom) -> None:
    item = Dataset()
    item.add_new(0x00283002, "US", [2, 0, 8])
    with pytest.raises(Refused) as refusal:
        read_radiograph(write_dicom(row(0, 1), ModalityLUTSequence=[item]))
    assert refusal.value.reason is RefusalReason.BAD_HEADER


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_agree_with_pydicom(write_dicom: WriteDicom, function: str, signed: bool) -> None:
    """A second opinion on whole images: pydicom's own rescale and window, scaled to 0..1."""
    from pydicom.pixels.processing import apply_modality_lut, apply_windowing

    rng = np.random.default_rng(7)
    low, high = (-2048, 2047) if signed else (0, 4095)
    cells = rng.integers(low, high + 1, (20, 30)).astype("i2" if signed else "u2")
    for _ in range(10):
        settings = {
            "RescaleSlope": str(round(float(rng.uniform(0.1, 3)), 3)),
            "RescaleIntercept": str(int(rng.integers(-2000, 2000))),
            "WindowCenter": str(int(rng.integers(-3000, 3000))),
            "WindowWidth": str(int(rng.integers(2, 6000))),
            "VOILUTFunction": function,
        }
        ours = read_radiograph(write_dicom(cells, BitsStored=12, HighBit=11, **settings)).pixels
        ds = Dataset()
        ds.PhotometricInterpretation, ds.BitsStored, ds.PixelRepresentation = "MONOCHROME2", 12, int(signed)
        for keyword, value in settings.items():
            setattr(ds, keyword, value)
        slope, intercept = float(ds.RescaleSlope), float(ds.RescaleIntercept)
        theirs = apply_windowing(apply_modality_lut(cells, ds), ds)
        theirs = (theirs - (low * slope + intercept)) / ((high - low) * slope)
        assert np.allclose(ours, theirs, atol=STEP)
