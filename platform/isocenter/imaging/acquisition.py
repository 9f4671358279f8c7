"""Read the acquisition attributes and the identity of one file. What is broken becomes empty."""

import re
from datetime import date

from isocenter.imaging.dicom_file import DicomFile
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.radiograph import AcquisitionAttributes, Identity
from isocenter.imaging.text import decode_text
from isocenter.imaging.values import ascii_text, decimals

LONGEST_TEXT = 64
OLDEST = 90
# PS3.3 C.8.11.5 (DX Positioning) and C.8.1.1 (CR Series), and what scanners write besides.
VIEWS = frozenset(("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LAT", "LATERAL", "OBL"))
DAYS_IN = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}


def read_attributes(file: DicomFile, pixel: ImagePixel) -> AcquisitionAttributes:
    """How the image was made, cleaned of all that could identify a person."""
    return AcquisitionAttributes(
        modality=_code(file, 0x00080060),
        manufacturer=_text(file, 0x00080070),
        model=_text(file, 0x00081090),
        view=_one_of(file, 0x00185101, VIEWS),
        body_part=_text(file, 0x00180015).upper(),
        sex=_one_of(file, 0x00100040, frozenset("FMO")),
        age_years=_age(file),
        photometric="MONOCHROME1" if pixel.inverted else "MONOCHROME2",
        bits_stored=pixel.bits_stored,
        rows=pixel.rows,
        columns=pixel.columns,
        pixel_spacing_mm=_spacing(file),
        kvp=_positive(file, 0x00180060),
        exposure_mas=_exposure(file),
        transfer_syntax=file.transfer_syntax,
        presentation_intent=_one_of(file, 0x00080068, frozenset(("FOR PRESENTATION", "FOR PROCESSING"))),
    )


def read_identity(file: DicomFile) -> Identity:
    """Who and which, as the file states it, in its character set."""
    return Identity(
        patient_id=_identifier(file, 0x00100020),
        issuer_of_patient_id=_identifier(file, 0x00100021),
        study_instance_uid=ascii_text(file.value(0x0020000D)),
        sop_instance_uid=ascii_text(file.value(0x00080018)),
        accession_number=_identifier(file, 0x00080050),
    )


def _identifier(file: DicomFile, tag: int) -> str:
    return decode_text(file.value(tag), file.value(0x00080005)).strip(" \0")


def _text(file: DicomFile, tag: int) -> str:
    """Printable text on one line, at most ``LONGEST_TEXT`` characters."""
    text = decode_text(file.value(tag), file.value(0x00080005))
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 8 * LONGEST_TEXT])
    return " ".join(printable.split())[:LONGEST_TEXT].rstrip()


def _code(file: DicomFile, tag: int) -> str:
    """A code string of at most 16 of the characters that PS3.5 table 6.2-1 allows, or nothing."""
    text = ascii_text(file.value(tag)).upper()
    return text if re.fullmatch(r"[A-Z0-9_ ]{1,16}", text) else ""


def _one_of(file: DicomFile, tag: int, known: frozenset[str]) -> str:
    code = _code(file, tag)
    return code if code in known else ""


def _positive(file: DicomFile, tag: int) -> float | None:
    try:
        numbers = decimals(file.value(tag))
    except ValueError:
        return None
    return numbers[0] if numbers and numbers[0] > 0 else None


def _spacing(file: DicomFile) -> float | None:
    """Pixel Spacing, else Imager Pixel Spacing, else Nominal Scanned Pixel Spacing."""
    return _positive(file, 0x00280030) or _positive(file, 0x00181164) or _positive(file, 0x00182010)


def _exposure(file: DicomFile) -> float | None:
    """Exposure in mAs, else Exposure in uAs."""
    micro = _positive(file, 0x00181153)
    return _positive(file, 0x00181152) or (micro / 1000 if micro else None)


def _age(file: DicomFile) -> int | None:
    years = _stated_age(ascii_text(file.value(0x00101010)))
    if years is None:
        years = _years_between(ascii_text(file.value(0x00100030)), ascii_text(file.value(0x00080020)))
    return None if years is None else min(years, OLDEST)


def _stated_age(text: str) -> int | None:
    """PS3.5 table 6.2-1, AS: three digits and D, W, M or Y."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.upper(), re.ASCII)
    return None if match is None else int(int(match[1]) * DAYS_IN[match[2]] / DAYS_IN["Y"])


def _years_between(birth: str, study: str) -> int | None:
    born, seen = _date(birth), _date(study)
    if born is None or seen is None or seen < born:
        return None
    years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return years if years <= 130 else None


def _date(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", text, re.ASCII)
    try:
        return None if match is None else date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
