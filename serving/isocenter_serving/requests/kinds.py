"""Which form a body has, by its Content-Type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isocenter_serving.instance import Instance
from isocenter_serving.limits import Limits
from isocenter_serving.problem import Problem
from isocenter_serving.requests import json_instances, multipart

DICOM = "application/dicom"
# What SageMaker sends where the caller says nothing, and what some clients call DICOM.
BINARY = (DICOM, "application/octet-stream")


@dataclass(frozen=True)
class Kind:
    """How a body is read.

    Args:
        parse: finds its images.
        is_batch: whether a list of answers is due, or one.
    """

    parse: Callable[[bytes], Sequence[Instance]]
    is_batch: bool


def require_dicom(content_type: str) -> None:
    """Raise Problem 415 unless a body of this Content-Type is a DICOM instance."""
    if media_type_of(content_type) not in BINARY:
        raise Problem(
            415, "unsupported-media-type", f"The Content-Type must be {DICOM}.", {"Accept-Post": DICOM}
        )


def media_type_of(content_type: str) -> str:
    """A Content-Type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str, limits: Limits, *, json_only: bool = False) -> Kind:
    """How to read a body of this Content-Type.

    Raises:
        Problem: 415.
    """
    media_type = media_type_of(content_type)
    if media_type == json_instances.MEDIA_TYPE:
        return Kind(lambda body: json_instances.parse_instances(body, limits), is_batch=True)
    if media_type in BINARY and not json_only:
        return Kind(lambda body: [Instance(dicom=body)], is_batch=False)
    if media_type == multipart.MEDIA_TYPE and not json_only:
        return Kind(lambda body: multipart.parse_parts(body, content_type, limits), is_batch=True)
    taken = [json_instances.MEDIA_TYPE, *([] if json_only else [DICOM, multipart.MEDIA_TYPE])]
    detail = f"The Content-Type must be one of: {', '.join(taken)}."
    raise Problem(415, "unsupported-media-type", detail, {"Accept-Post": ", ".join(taken)})
