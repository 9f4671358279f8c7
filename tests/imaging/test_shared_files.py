"""Every real file of the shared folder is used or refused for the right reason."""

from pathlib import Path

import pytest

from isocenter.imaging import Refused, prepare, read_radiograph

# File: the reason of its refusal; or rows, columns, photometric, bits stored, where it is used.
OUTCOMES: dict[str, str | tuple[int, int, str, int]] = {
    "693_J2KR.dcm": "unsupported-sop-class",  # CT
    "JLSL_08_07_0_1F.dcm": (128, 128, "MONOCHROME2", 7),
    "JLSL_16_15_1_1F.dcm": (128, 128, "MONOCHROME2", 15),
    "JPEG-LL.dcm": (1024, 256, "MONOCHROME2", 16),
    "JPGLosslessP14SV1_1s_1f_8b.dcm": "unsupported-sop-class",  # ultrasound
    "MR2_J2KI.dcm": "unsupported-sop-class",
    "OBXXXX1A_rle.dcm": "unsupported-sop-class",  # ultrasound, palette colour
    "RG3_J2KI.dcm": (1760, 1760, "MONOCHROME1", 10),
    "RG3_J2KR.dcm": (1760, 1760, "MONOCHROME1", 10),
    "SC_rgb.dcm": "colour",
    "SC_rgb_16bit_2frame.dcm": "multi-frame",
    "bad_sequence.dcm": "unsupported-sop-class",  # CT
    "color-pl.dcm": "unsupported-sop-class",  # ultrasound, colour
    "emri_small.dcm": "multi-frame",
    "emri_small_RLE.dcm": "multi-frame",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "multi-frame",
    "explicit_VR-UN.dcm": "unsupported-sop-class",  # CT
    "highdicom_dx_thorax.dcm": (169, 211, "MONOCHROME1", 8),
}


def test_the_table_names_every_file(shared_data: Path) -> None:
    assert {path.name for path in (shared_data / "dicom").glob("*.dcm")} == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(shared_data: Path, name: str) -> None:
    path, expected = shared_data / "dicom" / name, OUTCOMES[name]
    if isinstance(expected, str):
        with pytest.raises(Refused) as refusal:
            read_radiograph(path)
        assert refusal.value.reason == expected
    else:
        radiograph = read_radiograph(path)
        found = radiograph.attributes
        assert (found.rows, found.columns, found.photometric, found.bits_stored) == expected
        assert radiograph.pixels.shape == expected[:2]
        assert 0.0 <= radiograph.pixels.min() < radiograph.pixels.max() <= 1.0


def test_bone_is_white_where_the_file_is_monochrome1(shared_data: Path) -> None:
    """Both real MONOCHROME1 files, at places that were looked at by eye: bone against air beside it."""
    leg = prepare(read_radiograph(shared_data / "dicom" / "RG3_J2KR.dcm").pixels, 256)
    tibia, air = leg[40:120, 124:130], leg[40:120, 70:80]
    assert tibia.min() > air.max() + 20_000
    thorax = prepare(read_radiograph(shared_data / "dicom" / "highdicom_dx_thorax.dcm").pixels, 256)
    spine, outside = thorax[88:98, 150:200], thorax[28:34, 60:200]
    assert spine.mean() > outside.mean() + 15_000


def test_lossy_and_lossless_versions_of_one_image_agree(shared_data: Path) -> None:
    lossless, lossy = (read_radiograph(shared_data / "dicom" / f"RG3_J2K{x}.dcm").pixels for x in "RI")
    assert abs(lossless - lossy).max() < 0.05


def test_jpeg_ls_of_seven_and_fifteen_bits_show_one_picture(shared_data: Path) -> None:
    seven, fifteen = (
        read_radiograph(shared_data / "dicom" / name).pixels
        for name in ("JLSL_08_07_0_1F.dcm", "JLSL_16_15_1_1F.dcm")
    )
    assert abs(seven - fifteen).max() < 0.02
