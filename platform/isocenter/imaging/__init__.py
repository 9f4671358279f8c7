"""The one DICOM reader: a file in, a radiograph out, or a refusal with a reason.

Training, evaluation, serving, drift detection and the gateway read pixels with this package and no other,
so that a model never sees an image decoded in two ways.
"""

from isocenter.imaging.limits import DEFAULT_LIMITS, Limits
from isocenter.imaging.pixel_digest import pixel_digest
from isocenter.imaging.preparation import prepare
from isocenter.imaging.radiograph import AcquisitionAttributes, Identity, PreparedRadiograph, Radiograph
from isocenter.imaging.reader import read_prepared, read_radiograph
from isocenter.imaging.refusal import RefusalReason, Refused
from isocenter.imaging.unit_range import to_unit

__all__ = [
    "DEFAULT_LIMITS",
    "AcquisitionAttributes",
    "Identity",
    "Limits",
    "PreparedRadiograph",
    "Radiograph",
    "RefusalReason",
    "Refused",
    "pixel_digest",
    "prepare",
    "read_prepared",
    "read_radiograph",
    "to_unit",
]
