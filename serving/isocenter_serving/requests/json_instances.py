"""``{"instances": [...]}``: the JSON form of Vertex AI, which SageMaker and Azure ML callers use too."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Instance
from isocenter_serving.limits import Limits
from isocenter_serving.problem import Problem
from isocenter_serving.requests.pixel_rows import instance_of

MEDIA_TYPE = "application/json"

_Base64 = Annotated[
    str,
    Field(
        description="A DICOM instance in base64 (RFC 4648 section 4).", json_schema_extra={"format": "byte"}
    ),
]
_Value = Annotated[float, Field(ge=0, le=1, strict=True)]


class DicomInstance(BaseModel):
    """A DICOM instance."""

    model_config = ConfigDict(extra="forbid")

    dicom: _Base64


class EncodedInstance(BaseModel):
    """A DICOM instance as Vertex AI and TensorFlow Serving write bytes."""

    model_config = ConfigDict(extra="forbid")

    b64: _Base64


class PixelsInstance(BaseModel):
    """An image without a file: rows of display values, 1 is white."""

    model_config = ConfigDict(extra="forbid")

    # Of two million wrong values, one is told.
    pixels: Annotated[
        list[Annotated[list[_Value], Field(min_length=2), FailFast()]], Field(min_length=2), FailFast()
    ]


class InstancesBody(BaseModel):
    """Images of one request. ``parameters`` is taken for Vertex AI's sake and means nothing here."""

    model_config = ConfigDict(extra="forbid", title="Instances")

    instances: Annotated[
        list[DicomInstance | EncodedInstance | PixelsInstance], Field(min_length=1), FailFast()
    ]
    parameters: dict[str, Any] | None = None


def parse_instances(body: bytes, limits: Limits) -> Sequence[Instance]:
    """The images in a JSON body.

    Raises:
        Problem: 400 (no JSON, or not of this form), 413 (too many values).
    """
    require_few_values(body, limits)
    try:
        found = InstancesBody.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error) from None
    return [_instance(each) for each in found.instances]


def _instance(found: DicomInstance | EncodedInstance | PixelsInstance) -> Instance:
    if isinstance(found, PixelsInstance):
        return instance_of(found.pixels)
    return decoded(found.dicom if isinstance(found, DicomInstance) else found.b64)


def decoded(text: str) -> Instance:
    """The DICOM instance that ``text`` holds in base64."""
    try:
        return Instance(dicom=base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return Instance(fault=Refusal("bad-base64", "The DICOM instance is not in base64."))


def require_few_values(body: bytes, limits: Limits) -> None:
    """Refuse JSON that would be much larger in memory than on the wire.

    Raises:
        Problem: 413.
    """
    if body.count(b":") > _MOST_KEYS:
        raise Problem(413, "too-many-values", f"A JSON body has at most {_MOST_KEYS} keys here.")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > limits.json_values:
        raise Problem(
            413,
            "too-many-values",
            f"A JSON body has at most {limits.json_values} values here; larger images come as DICOM.",
        )


def malformed(error: ValidationError) -> Problem:
    """What is wrong with a JSON body, by place and kind of fault only: the body may hold patient data."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    # A fault for each form that the image isn't of; what is wrong with it is said of the one that it is of.
    others = {fault["loc"][:_FORM] for fault in faults if fault["type"] in _OF_ANOTHER_FORM}
    first = next((fault for fault in faults if fault["loc"][:_FORM] not in others), faults[0])
    place = ".".join(str(step) if isinstance(step, int) else _known(step) for step in first["loc"])
    where = f" at {place}" if place else ""
    return Problem(400, "malformed", f"The JSON is not of this form: {first['type']}{where}.")


def _known(step: str) -> str:
    """A step of the place, where it is a word of ours; a caller's own key may say anything."""
    return step if step in _WORDS else "?"


_MOST_KEYS = 10_000
"""Each key that is none of ours is a fault, of hundreds of bytes."""
_FORM = 3
"""Steps of a place down to the form: ``instances.0.PixelsInstance``."""
_OF_ANOTHER_FORM = frozenset(("missing", "extra_forbidden", "literal_error"))
_WORDS = frozenset(
    ("instances", "dicom", "b64", "pixels", "parameters", "inputs", "outputs", "name", "shape", "datatype")
) | {"data", "id", "DicomInstance", "EncodedInstance", "PixelsInstance", "DicomTensor", "ImageTensor"}
