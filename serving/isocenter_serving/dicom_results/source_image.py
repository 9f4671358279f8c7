"""The image that a result belongs to: its patient and study go into the result, and nowhere else."""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Type 2 attributes of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): empty where unknown.
_EMPTY_IF_ABSENT = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class SourceImage:
    """The header of one instance. ``repr`` shows nothing."""

    header: "Dataset"

    def result_uid(self, kind: str, digest: str) -> str:
        """The same UID for the same image, model and kind of result, so that a repeat replaces the first.

        A UUID-derived UID (PS3.5 B.2) of version 5 (RFC 9562).
        """
        name = f"isocenter:{kind}:{self.header.SOPInstanceUID}:{digest}"
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"

    def __repr__(self) -> str:
        """A fixed text."""
        return "SourceImage(withheld)"


def read_source(data: bytes) -> SourceImage:
    """The header of the instance in ``data``.

    Raises:
        InputError: it lacks a UID that a result must refer to, or can't be read.
    """
    import pydicom

    with writing_results():
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
        header.remove_private_tags()
        for keyword in _EMPTY_IF_ABSENT:
            if keyword not in header:
                setattr(header, keyword, "")
        missing = [keyword for keyword in _REQUIRED if not header.get(keyword)]
    if missing:
        raise InputError(
            f"No DICOM result can be made: the image has no {missing[0]}.",
            hint="Ask for the JSON answer, or have the sender complete the header.",
        )
    return SourceImage(header)


@contextmanager
def writing_results() -> Iterator[None]:
    """What pydicom or highdicom finds wrong in a header becomes one error that quotes nothing of it.

    Raises:
        InputError: in place of theirs.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"No DICOM result can be made of this image's header ({type(error).__name__}).",
            hint="Ask for the JSON answer, or have the sender repair the header.",
        ) from None
