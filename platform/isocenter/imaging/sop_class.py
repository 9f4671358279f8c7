"""Which kinds of DICOM object (SOP classes, PS3.4 table B.5-1) the reader takes."""

from isocenter.imaging.refusal import RefusalReason, Refused

STORAGE = "1.2.840.10008.5.1.4.1.1."
RADIOGRAPHS = frozenset(
    (
        STORAGE + "1",  # Computed Radiography
        STORAGE + "1.1",  # Digital X-Ray, for presentation
        STORAGE + "1.1.1",  # Digital X-Ray, for processing
        STORAGE + "7",  # Secondary Capture
    )
)
MULTI_FRAME = frozenset(
    STORAGE + suffix
    for suffix in (
        "3.1",  # Ultrasound Multi-frame
        "7.1",  # Multi-frame Single Bit Secondary Capture
        "7.2",  # Multi-frame Grayscale Byte Secondary Capture
        "7.3",  # Multi-frame Grayscale Word Secondary Capture
        "7.4",  # Multi-frame True Color Secondary Capture
        "2.1",  # Enhanced CT
        "2.2",  # Legacy Converted Enhanced CT
        "4.1",  # Enhanced MR
        "4.3",  # Enhanced MR Color
        "4.4",  # Legacy Converted Enhanced MR
        "6.2",  # Enhanced US Volume
        "12.1.1",  # Enhanced XA
        "12.2.1",  # Enhanced XRF
        "13.1.1",  # X-Ray 3D Angiographic
        "13.1.2",  # X-Ray 3D Craniofacial
        "13.1.3",  # Breast Tomosynthesis
        "128.1",  # Legacy Converted Enhanced PET
        "130",  # Enhanced PET
    )
)
ENCAPSULATED = STORAGE + "104."


def require_radiograph(sop_class: str) -> None:
    """Return where ``sop_class`` is a single-frame radiograph or secondary capture.

    Raises:
        Refused: ``unsupported-sop-class``, ``multi-frame`` or ``encapsulated-document``.
    """
    if sop_class in RADIOGRAPHS:
        return
    if sop_class in MULTI_FRAME:
        raise Refused(RefusalReason.MULTI_FRAME, "This is a multi-frame object, not a single image.")
    if sop_class.startswith(ENCAPSULATED):
        raise Refused(RefusalReason.ENCAPSULATED_DOCUMENT, "This is an encapsulated document, not an image.")
    raise Refused(
        RefusalReason.UNSUPPORTED_SOP_CLASS,
        "This is not a computed or digital radiograph or secondary capture (CR, DX, SC).",
    )
