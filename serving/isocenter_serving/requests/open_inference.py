"""The body of an inference of the Open Inference Protocol, version 2 (its REST/JSON form).

Either one tensor ``dicom`` (BYTES, [N], each a DICOM instance in base64), or one tensor ``image`` (FP32 or
FP64, [N, H, W] or [N, 1, H, W], display values 0..1, data flat or nested).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Instance
from isocenter_serving.limits import Limits
from isocenter_serving.problem import Problem
from isocenter_serving.requests.json_instances import decoded, malformed, require_few_values
from isocenter_serving.requests.pixel_rows import instance_of

_DATA = "The data of 'image' don't have its shape, [N, H, W] or [N, 1, H, W]."
_Size = Annotated[int, Field(ge=1, strict=True)]
_LARGEST_DEPTH = 4


class DicomTensor(BaseModel):
    """DICOM instances."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["dicom"]
    shape: Annotated[list[_Size], Field(min_length=1, max_length=1)]
    datatype: Literal["BYTES"]
    data: Annotated[list[str], FailFast()]


class ImageTensor(BaseModel):
    """Images of one size."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["image"]
    shape: Annotated[list[_Size], Field(min_length=3, max_length=4)]
    datatype: Literal["FP32", "FP64"]
    data: list[Any]


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["score", "decision"]


class InferenceRequest(BaseModel):
    """What is to be scored."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    inputs: Annotated[list[DicomTensor | ImageTensor], Field(min_length=1, max_length=1)]
    outputs: list[RequestedOutput] | None = None


def parse_inference(body: bytes, limits: Limits) -> tuple[InferenceRequest, Sequence[Instance]]:
    """The request, and the images in it.

    Raises:
        Problem: 400 (not of this form), 413 (too many values).
    """
    require_few_values(body, limits)
    try:
        request = InferenceRequest.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error) from None
    tensor = request.inputs[0]
    return request, list(_dicom(tensor) if isinstance(tensor, DicomTensor) else _images(tensor, limits))


def _dicom(tensor: DicomTensor) -> Iterator[Instance]:
    if len(tensor.data) != tensor.shape[0]:
        raise Problem(400, "malformed", "The data of 'dicom' don't have its shape.")
    return (decoded(text) for text in tensor.data)


def _images(tensor: ImageTensor, limits: Limits) -> Iterator[Instance]:
    count, *channels, rows, columns = tensor.shape
    values = _flat(tensor.data, _LARGEST_DEPTH)
    if channels not in ([], [1]) or len(values) != math.prod(tensor.shape):
        raise Problem(
            400, "malformed", "The data of 'image' don't have its shape, [N, H, W] or [N, 1, H, W]."
        )
    if count > limits.images:
        raise Problem(413, "too-many-images", f"A request has at most {limits.images} images here.")
    for start in range(0, len(values), rows * columns):
        image = values[start : start + rows * columns]
        if not all(type(value) in (int, float) for value in image):
            yield Instance(fault=Refusal("bad-pixels", "The pixels are not all numbers."))
        else:
            yield instance_of([image[at : at + columns] for at in range(0, len(image), columns)])


def _flat(data: list[Any], depth: int) -> list[Any]:
    if not data or not isinstance(data[0], list):
        return data
    if depth == 1:
        raise Problem(400, "malformed", "The data of 'image' are nested too deeply.")
    inner: list[Any] = []
    for each in data:
        if not isinstance(each, list):
            raise Problem(400, "malformed", "The data of 'image' are nested unevenly.")
        inner.extend(each)
    return _flat(inner, depth - 1)
