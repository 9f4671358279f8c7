"""Acquisition attributes: cleaned, in known vocabularies, and never a reason to refuse a file."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.imaging import AcquisitionAttributes, Identity, read_radiograph

WriteDicom = Callable[..., bytes]
CELLS = np.arange(4, dtype=np.uint16).reshape(2, 2)


def attributes(write_dicom: WriteDicom, **values: Any) -> AcquisitionAttributes:
    return read_radiograph(write_dicom(CELLS, **values)).attributes


def identity(write_dicom: WriteDicom, **values: Any) -> Identity:
    return read_radiograph(write_dicom(CELLS, **values)).identity


def test_all_of_them(write_dicom: WriteDicom) -> None:
    found = attributes(
        write_dicom,
        character_set=b"ISO_IR 192",
        Modality="DX",
        Manufacturer="Acme Röntgen".encode(),
        ManufacturerModelName="DX-100",
        ViewPosition="PA",
        BodyPartExamined="CHEST",
        PatientSex="F",
        PatientAge="042Y",
        BitsStored=12,
        HighBit=11,
        PixelSpacing=["0.143", "0.143"],
        KVP="120",
        Exposure="3",
        PresentationIntentType="FOR PROCESSING",
        PhotometricInterpretation="MONOCHROME1",
    )
    assert found == AcquisitionAttributes(
        modality="DX",
        manufacturer="Acme Röntgen",
        model="DX-100",
        view="PA",
        body_part="CHEST",
        sex="F",
        age_years=42,
        photometric="MONOCHROME1",
        bits_stored=12,
        rows=2,
        columns=2,
        pixel_spacing_mm=0.143,
        kvp=120.0,
        exposure_mas=3.0,
        transfer_syntax="1.2.840.10008.1.2.1",
        presentation_intent="FOR PROCESSING",
    )
    assert found.scanner == "Acme Röntgen DX-100"


def test_none_of_them(write_dicom: WriteDicom) -> None:
    found = attributes(write_dicom)
    assert (found.modality, found.manufacturer, found.model, found.view, found.sex) == ("",) * 5
    assert (found.age_years, found.pixel_spacing_mm, found.kvp, found.exposure_mas) == (None,) * 4
    assert (found.scanner, found.presentation_intent) == ("", "")


@pytest.mark.parametrize(
    ("values", "age"),
    [
        ({"PatientAge": "012Y"}, 12),
        ({"PatientAge": "018M"}, 1),
        ({"PatientAge": "011M"}, 0),
        ({"PatientAge": "104W"}, 1),
        ({"PatientAge": "400D"}, 1),
        ({"PatientAge": "090Y"}, 90),
        ({"PatientAge": "103Y"}, 90),
        ({"PatientAge": "12"}, None),
        ({"PatientAge": "unknown"}, None),
        ({"PatientBirthDate": "20100615", "StudyDate": "20190614"}, 8),
        ({"PatientBirthDate": "20100615", "StudyDate": "20190615"}, 9),
        ({"PatientBirthDate": "2010.06.15", "StudyDate": "20190615"}, 9),
        ({"PatientBirthDate": "19000101", "StudyDate": "20190615"}, 90),
        ({"PatientBirthDate": "18500101", "StudyDate": "20190615"}, None),
        ({"PatientBirthDate": "20200101", "StudyDate": "20190615"}, None),
        ({"PatientBirthDate": "20101345", "StudyDate": "20190615"}, None),
        ({"PatientBirthDate": "20100615"}, None),
        ({"PatientAge": "bad", "PatientBirthDate": "20100615", "StudyDate": "20190615"}, 9),
    ],
)
def test_age(write_dicom: WriteDicom, values: dict[str, str], age: int | None) -> None:
    assert attributes(write_dicom, **values).age_years == age


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ({"PatientSex": "m"}, "sex", "M"),
        ({"PatientSex": "CANARY"}, "sex", ""),
        ({"ViewPosition": " ap "}, "view", "AP"),
        ({"ViewPosition": "CANARY"}, "view", ""),
        ({"PresentationIntentType": "CANARY"}, "presentation_intent", ""),
        ({"Modality": "DX\nCANARY^JOHN"}, "modality", ""),
        ({"BodyPartExamined": "chest"}, "body_part", "CHEST"),
        ({"Manufacturer": "  A \t\r\n B\x00\x07C  "}, "manufacturer", "A B C"),
        ({"Manufacturer": "x" * 500}, "manufacturer", "x" * 64),
        ({"KVP": "abc"}, "kvp", None),
        ({"KVP": "-5"}, "kvp", None),
        ({"KVP": "1e999"}, "kvp", None),
        ({"Exposure": ""}, "exposure_mas", None),
        ({"ExposureInuAs": "2500"}, "exposure_mas", 2.5),
        ({"PixelSpacing": "0\\0", "ImagerPixelSpacing": "0.2\\0.2"}, "pixel_spacing_mm", 0.2),
        ({"NominalScannedPixelSpacing": "0.5\\0.5"}, "pixel_spacing_mm", 0.5),
    ],
)
def test_unusual_values(
    write_dicom: WriteDicom, values: dict[str, Any], field: str, expected: object
) -> None:
    assert getattr(attributes(write_dicom, **values), field) == expected


@pytest.mark.parametrize(
    ("character_set", "encoded", "expected"),
    [
        (b"", b"R\xf6ntgen", "Röntgen"),
        (b"ISO_IR 100", b"R\xf6ntgen", "Röntgen"),
        (b"ISO IR 100", b"R\xf6ntgen", "Röntgen"),
        (b"ISO_IR 192", "Röntgen 株式会社".encode(), "Röntgen 株式会社"),
        (b"ISO_IR 192", b"R\xf6ntgen", "R\N{REPLACEMENT CHARACTER}ntgen"),
        (b"NO SUCH SET", b"R\xf6ntgen", "Röntgen"),
        (b"zip_codec", b"R\xf6ntgen", "Röntgen"),
        (b"ISO_IR 144", "Рентген".encode("iso8859_5"), "Рентген"),
        (b"GB18030", "放射".encode("gb18030"), "放射"),
        (b"\\ISO 2022 IR 87", "放射".encode("iso2022_jp"), "放射"),
        (b"\\ISO 2022 IR 149", b"\x1b$)C" + "방사선".encode("euc_kr"), "방사선"),
    ],
)
def test_text_is_read_in_the_file_s_character_set(
    write_dicom: WriteDicom, character_set: bytes, encoded: bytes, expected: str
) -> None:
    assert attributes(write_dicom, character_set=character_set, Manufacturer=encoded).manufacturer == expected
    assert identity(write_dicom, character_set=character_set, PatientID=encoded).patient_id == expected
    # The same text as the patient's name is left out, whatever it is written in.
    both = attributes(write_dicom, character_set=character_set, Manufacturer=encoded, PatientName=encoded)
    assert both.manufacturer == ""


def test_identity_is_read_and_never_shown(write_dicom: WriteDicom) -> None:
    found = identity(
        write_dicom,
        PatientID=" CANARY-1 ",
        IssuerOfPatientID="CANARY Hospital",
        StudyInstanceUID="1.2.3",
        AccessionNumber="CANARY2",
    )
    assert found == Identity("CANARY-1", "CANARY Hospital", "1.2.3", "1.2.3.4", "CANARY2")
    assert "CANARY" not in f"{found} {found!r} {[found]}"


def test_what_identifies_never_leaves_with_the_attributes(write_dicom: WriteDicom) -> None:
    names = ("PatientName", "PatientID", "StationName", "StudyDescription", "InstitutionName")
    secrets = dict.fromkeys(names, b"CANARY")
    radiograph = read_radiograph(
        write_dicom(CELLS, PatientBirthDate="20010203", StudyDate="20190405", **secrets)
    )
    shown = repr(dataclasses.asdict(radiograph.attributes)) + repr(radiograph)
    assert not any(secret in shown for secret in ("CANARY", "20010203", "20190405"))


@pytest.mark.parametrize("field", ["Manufacturer", "ManufacturerModelName", "BodyPartExamined"])
@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("Acme CANARY", {"PatientName": "Canary^Jane"}),
        ("Acme for j.canary-unit", {"PatientName": "CANARY^JANE"}),
        ("Acme (José's room)", {"PatientName": "CANARY^JOSE"}),
        ("Acme CAN ARY", {"PatientName": "CANARY^JANE"}),
        ("Acme 4711-22", {"PatientID": "0471122"}),
        ("Acme pat4711", {"PatientID": "PAT-4711"}),
        ("Acme A0815", {"AccessionNumber": "a0815"}),
        ("Acme 1961-11-03", {"PatientBirthDate": "19611103"}),
        ("Acme, born 03.11.1961", {"PatientBirthDate": "19611103"}),
        ("Acme 20190417", {"StudyDate": "20190417"}),
        ("Acme 1.2.826.0.17", {"StudyInstanceUID": "1.2.826.0.17"}),
        ("Acme, Dr. Canary", {"ReferringPhysicianName": "CANARY^A"}),
        ("Acme CANARY", {"OtherPatientIDs": "x\\CANARY"}),
        ("x" * 70 + " CANARY", {"PatientName": "Canary"}),
    ],
)
def test_a_free_text_with_identity_in_it_is_left_out(
    write_dicom: WriteDicom, field: str, text: str, identity: dict[str, str]
) -> None:
    names = {"Manufacturer": "manufacturer", "ManufacturerModelName": "model"}
    encoded = {field: text.encode(), **{name: value.encode() for name, value in identity.items()}}
    found = attributes(write_dicom, character_set=b"ISO_IR 192", **encoded)
    assert getattr(found, names.get(field, "body_part")) == ""
    alone = attributes(write_dicom, character_set=b"ISO_IR 192", **{field: text.encode()})
    assert getattr(alone, names.get(field, "body_part")) != ""


def test_a_modality_that_is_a_name_is_left_out(write_dicom: WriteDicom) -> None:
    assert attributes(write_dicom, Modality="JANE DOE", PatientName=b"DOE^JANE").modality == ""


def test_ordinary_products_stay(write_dicom: WriteDicom) -> None:
    found = attributes(
        write_dicom,
        Manufacturer='"GE Healthcare", Inc. / Röntgen & Co.'.encode("latin-1"),
        ManufacturerModelName="DX-100 (R4.1)",
        PatientName=b"LI^AB",
        PatientID="P-17",
        PatientBirthDate="19611103",
        StudyDate="20190417",
        AccessionNumber="20190417-3",
    )
    assert (found.manufacturer, found.model) == ('"GE Healthcare", Inc. / Röntgen & Co.', "DX-100 (R4.1)")


def test_marks_that_no_product_has_become_blanks(write_dicom: WriteDicom) -> None:
    found = attributes(write_dicom, Manufacturer="a^b=c<d>@e;f_g\\h")
    assert found.manufacturer == "a b c d e;f g h"


OPTIONAL = (
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "ViewPosition",
    "PatientSex",
    "PatientAge",
    "PatientBirthDate",
    "StudyDate",
    "KVP",
    "Exposure",
    "PixelSpacing",
    "Modality",
    "PatientID",
)


@settings(max_examples=50, deadline=None)
@given(
    character_set=st.binary(max_size=30) | st.sampled_from([b"ISO_IR 192", b"\\ISO 2022 IR 87", b"GB18030"]),
    values=st.lists(st.binary(max_size=90), min_size=len(OPTIONAL), max_size=len(OPTIONAL)),
)
def test_no_optional_attribute_keeps_a_file_from_being_read(
    write_dicom: WriteDicom, character_set: bytes, values: list[bytes]
) -> None:
    file = write_dicom(CELLS, character_set=character_set, **dict(zip(OPTIONAL, values, strict=True)))
    found = read_radiograph(file).attributes
    for text in (found.manufacturer, found.model, found.body_part, found.modality):
        assert len(text) <= 64
        assert text.isprintable()
        assert text == " ".join(text.split())
    assert found.sex in ("", "F", "M", "O")
    assert found.age_years is None or 0 <= found.age_years <= 90
    for number in (found.kvp, found.exposure_mas, found.pixel_spacing_mm):
        assert number is None or (number > 0 and np.isfinite(number))
