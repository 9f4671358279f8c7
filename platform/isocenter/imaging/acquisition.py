"""Read the acquisition attributes and the identity of one file. What is broken becomes empty."""

import re
from datetime import date

from isocenter.imaging.dicom_file import DicomFile
from isocenter.imaging.free_text import FreeTexts
from isocenter.imaging.image_pixel import ImagePixel
from isocenter.imaging.radiograph import AcquisitionAttributes, Identity
from isocenter.imaging.refusal import Refused
from isocenter.imaging.tags import Tag
from isocenter.imaging.text import decode_text
from isocenter.imaging.values import ascii_text, decimal

OLDEST = 90
# PS3.3 C.8.11.5 (DX Positioning) and C.8.1.1 (CR Series), and what scanners write besides.
VIEWS = frozenset(("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LAT", "LATERAL", "OBL"))
INTENTS = frozenset(("FOR PRESENTATION", "FOR PROCESSING"))
SEXES = frozenset("FMO")
SPACINGS = (Tag.PIXEL_SPACING, Tag.IMAGER_PIXEL_SPACING, Tag.NOMINAL_SCANNED_PIXEL_SPACING)
DAYS_IN = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}


def read_attributes(file: DicomFile, pixel: ImagePixel) -> AcquisitionAttributes:
    """How the image was made, cleaned of all that could identify a person."""
    texts = FreeTexts(file)
    return AcquisitionAttributes(
        modality=texts.unless_identifying(_code(file, Tag.MODALITY)),
        manufacturer=texts.read(Tag.MANUFACTURER),
        model=texts.read(Tag.MANUFACTURER_MODEL_NAME),
        view=_one_of(file, Tag.VIEW_POSITION, VIEWS),
        body_part=texts.read(Tag.BODY_PART_EXAMINED).upper(),
        sex=_one_of(file, Tag.PATIENT_SEX, SEXES),
        age_years=_age(file),
        photometric="MONOCHROME1" if pixel.inverted else "MONOCHROME2",
        bits_stored=pixel.bits_stored,
        rows=pixel.rows,
        columns=pixel.columns,
        pixel_spacing_mm=_spacing(file),
        kvp=_positive(file, Tag.KVP),
        exposure_mas=_exposure(file),
        transfer_syntax=file.transfer_syntax,
        presentation_intent=_one_of(
            file, Tag.PRESENTATION_INTENT_TYPE, frozenset(("FOR PRESENTATION", "FOR PROCESSING"))
        ),
    )


def read_identity(file: DicomFile) -> Identity:
    """Who and which, as the file states it, in its character set."""
    return Identity(
        patient_id=_identifier(file, Tag.PATIENT_ID),
        issuer_of_patient_id=_identifier(file, Tag.ISSUER_OF_PATIENT_ID),
        study_instance_uid=ascii_text(file.value(Tag.STUDY_INSTANCE_UID)),
        sop_instance_uid=ascii_text(file.value(Tag.SOP_INSTANCE_UID)),
        accession_number=_identifier(file, Tag.ACCESSION_NUMBER),
    )


def _identifier(file: DicomFile, tag: Tag) -> str:
    return decode_text(file.value(tag), file.value(Tag.SPECIFIC_CHARACTER_SET)).strip(" \0")


def _code(file: DicomFile, tag: Tag) -> str:
    """A code string of at most 16 of the characters that PS3.5 table 6.2-1 allows, or nothing."""
    text = ascii_text(file.value(tag)).upper()
    return text if re.fullmatch(r"[A-Z0-9_ ]{1,16}", text) else ""


def _one_of(file: DicomFile, tag: Tag, known: frozenset[str]) -> str:
    code = _code(file, tag)
    return code if code in known else ""


def _positive(file: DicomFile, tag: Tag) -> float | None:
    try:
        number = decimal(file.value(tag), tag.name)
    except Refused:
        return None
    return number if number is not None and number > 0 else None


def _spacing(file: DicomFile) -> float | None:
    """The first that is there: in the patient, at the detector, or of the film scanner."""
    return next(filter(None, (_positive(file, tag) for tag in SPACINGS)), None)


def _exposure(file: DicomFile) -> float | None:
    """Exposure in mAs, else Exposure in uAs."""
    micro = _positive(file, Tag.EXPOSURE_IN_UAS)
    return _positive(file, Tag.EXPOSURE) or (micro / 1000 if micro else None)


def _age(file: DicomFile) -> int | None:
    years = _stated_age(ascii_text(file.value(Tag.PATIENT_AGE)))
    if years is None:
        years = _years_between(
            ascii_text(file.value(Tag.PATIENT_BIRTH_DATE)), ascii_text(file.value(Tag.STUDY_DATE))
        )
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
