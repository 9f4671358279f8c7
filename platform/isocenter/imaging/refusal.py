"""Why a file is not read as a radiograph: one reason code and one sentence."""

from enum import StrEnum

from isocenter.errors import InputError


class RefusalReason(StrEnum):
    """What keeps a file from being read; the value is what manifests and reports store."""

    EMPTY_FILE = "empty-file"
    NOT_DICOM = "not-dicom"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    UNSUPPORTED_SOP_CLASS = "unsupported-sop-class"
    MULTI_FRAME = "multi-frame"
    COLOUR = "colour"
    ENCAPSULATED_DOCUMENT = "encapsulated-document"
    NO_PIXEL_DATA = "no-pixel-data"
    TOO_LARGE = "too-large"
    PIXEL_LENGTH_MISMATCH = "pixel-length-mismatch"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported-transfer-syntax"
    DECODE_FAILED = "decode-failed"
    BAD_HEADER = "bad-header"


class Refused(InputError):  # noqa: N818 - the word that people read in reports
    """A file that can't be used as a radiograph.

    Args:
        reason: the code.
        sentence: one sentence for a person. It never quotes text from the file or its path, so it holds
            no patient data; numbers that describe the image (rows, bits) may appear.
    """

    code = "refused-image"

    def __init__(self, reason: RefusalReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    def __reduce__(self) -> tuple[type["Refused"], tuple[RefusalReason, str]]:
        """Pickle by both arguments, so that a worker process can hand the refusal back."""
        return type(self), (self.reason, self.message)
