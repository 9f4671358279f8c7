"""What the reader hands out: pixels, acquisition attributes, and the identity kept apart from both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class AcquisitionAttributes:
    """How the image was made. Nothing here identifies a person; text is printable and at most 64 long.

    What the file lacks, or states in a form that can't be read, is ``""`` or ``None``; so is a free text
    (manufacturer, model, body part, modality) that holds a part of the file's own identity.

    Attributes:
        modality: (0008,0060): CR, DX, OT, ...
        manufacturer: (0008,0070).
        model: (0008,1090).
        view: (0018,5101) where it is one of the known projections (AP, PA, LL, RL, ...).
        body_part: (0018,0015), upper case.
        sex: (0010,0040): F, M or O.
        age_years: whole years at the study, 90 for all who are older.
        photometric: MONOCHROME1 or MONOCHROME2, as stored.
        bits_stored: (0028,0101).
        rows: image height in pixels.
        columns: image width in pixels.
        pixel_spacing_mm: distance between rows.
        kvp: tube voltage in kV.
        exposure_mas: exposure in mAs.
        transfer_syntax: UID.
        presentation_intent: FOR PRESENTATION or FOR PROCESSING.
    """

    modality: str
    manufacturer: str
    model: str
    view: str
    body_part: str
    sex: str
    age_years: int | None
    photometric: str
    bits_stored: int
    rows: int
    columns: int
    pixel_spacing_mm: float | None
    kvp: float | None
    exposure_mas: float | None
    transfer_syntax: str
    presentation_intent: str

    @property
    def scanner(self) -> str:
        """Manufacturer and model in one string."""
        return f"{self.manufacturer} {self.model}".strip()


@dataclass(frozen=True, repr=False)
class Identity:
    """Who and which: patient data, only ever for keyed hashing and label look-up. ``repr`` shows nothing."""

    patient_id: str
    issuer_of_patient_id: str
    study_instance_uid: str
    sop_instance_uid: str
    accession_number: str

    def __repr__(self) -> str:
        """A fixed text, so that a log line or traceback can't leak."""
        return "Identity(withheld)"


@dataclass(frozen=True)
class Radiograph:
    """One radiograph, ready for use.

    Attributes:
        pixels: float32 [rows, columns] in 0..1 in steps of 1/65535, as displayed: 1 is white, as bone is.
        attributes: how it was made.
        identity: who and which.
    """

    pixels: NDArray[np.float32]
    attributes: AcquisitionAttributes
    identity: Identity


@dataclass(frozen=True)
class PreparedRadiograph:
    """One radiograph as the model sees it, and what names and describes it.

    Attributes:
        tile: uint16 [size, size], as ``prepare`` makes it.
        pixel_digest: of the whole image, as ``pixel_digest`` writes it.
        attributes: how it was made.
        identity: who and which.
    """

    tile: NDArray[np.uint16]
    pixel_digest: str
    attributes: AcquisitionAttributes
    identity: Identity
