"""The Open Inference Protocol, version 2, as KServe asks it (REST).

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict

from isocenter_serving import __version__
from isocenter_serving.access import Scope
from isocenter_serving.answer import Prediction, Refusal
from isocenter_serving.instance import ABSTAINED, Served
from isocenter_serving.problem import Problem
from isocenter_serving.requests.kinds import media_type_of
from isocenter_serving.requests.open_inference import parse_inference
from isocenter_serving.routes.asked import PREDICTION_PROBLEMS, Deadline, Worker, problems
from isocenter_serving.routes.operations import require_ready

_PLATFORM = "onnxruntime_onnx"
_JSON = "application/json"
_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/InferenceRequest"}}},
    }
}
_NO_MODEL: dict[int | str, dict[str, Any]] = {
    404: {**problems(500)[500], "description": "No model of this name and version answers here."}
}
Name = Annotated[str, Path(description="The model's registered name.")]
Version = Annotated[str, Path(description="The number of its version.")]


class Live(BaseModel):
    """The process lives."""

    model_config = ConfigDict(title="Live")
    live: bool


class Ready(BaseModel):
    """Requests are taken."""

    model_config = ConfigDict(title="Ready")
    ready: bool


class ServerMetadata(BaseModel):
    """What this is."""

    model_config = ConfigDict(title="ServerMetadata")
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor's form; -1 is any size."""

    model_config = ConfigDict(title="TensorMetadata")
    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The model's form."""

    model_config = ConfigDict(title="ModelMetadata")
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class OutputTensor(BaseModel):
    """Scores, or decisions; a score is null where the model abstains."""

    model_config = ConfigDict(title="OutputTensor")
    name: Literal["score", "decision"]
    shape: list[int]
    datatype: Literal["FP64", "BYTES"]
    data: list[float | None] | list[str]


class InferenceResponse(BaseModel):
    """What the model says, an element an image."""

    model_config = ConfigDict(title="InferenceResponse")
    model_name: str
    model_version: str
    id: str
    parameters: dict[str, str | float]
    outputs: list[OutputTensor]


def open_inference_routes(worker: Worker, name: str, version: str) -> APIRouter:
    """The routes of this contract.

    Args:
        worker: of this process.
        name: of the model, in paths.
        version: likewise.
    """
    routes = APIRouter(tags=["Open Inference Protocol"])

    @routes.get("/v2", operation_id="oip_server", summary="What this is")
    async def server() -> ServerMetadata:
        return ServerMetadata(name="isocenter-serving", version=__version__, extensions=[])

    @routes.get("/v2/health/live", operation_id="oip_live", summary="Whether the process lives")
    async def live() -> Live:
        return Live(live=True)

    @routes.get(
        "/v2/health/ready",
        operation_id="oip_ready",
        summary="Whether requests are taken",
        responses=problems(503),
    )
    async def ready() -> Ready:
        require_ready(worker)
        return Ready(ready=True)

    for suffix, kind in (("", ""), ("/versions/{version}", "_version")):
        _model_routes(routes, worker, (name, version), suffix, kind)
    return routes


def _model_routes(routes: APIRouter, worker: Worker, own: tuple[str, str], suffix: str, kind: str) -> None:
    path = "/v2/models/{name}" + suffix

    def require_own(request: Request) -> None:
        asked = request.path_params
        if asked["name"] != own[0] or asked.get("version", own[1]) != own[1]:
            raise Problem(404, "no-such-model", "No model of this name and version answers here.")

    parameters = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string", "const": value}}
        for each, value in zip(("name", "version"), own, strict=True)
        if f"{{{each}}}" in path
    ]
    described = {"parameters": parameters}

    @routes.get(
        path,
        operation_id=f"oip_model{kind}",
        summary="The model's form",
        response_model=ModelMetadata,
        responses={**problems(401, 403, 503), **_NO_MODEL},
        openapi_extra=described,
    )
    async def metadata(request: Request) -> ModelMetadata:
        await worker.admit(request, Scope.PREDICT)
        require_own(request)
        return _metadata(*own)

    @routes.get(
        f"{path}/ready",
        operation_id=f"oip_model{kind}_ready",
        summary="Whether requests are taken",
        response_model=Ready,
        responses={**problems(503), **_NO_MODEL},
        openapi_extra=described,
    )
    async def ready(request: Request) -> Ready:
        require_own(request)
        require_ready(worker)
        return Ready(ready=True)

    @routes.post(
        f"{path}/infer",
        operation_id=f"oip_infer{kind}",
        summary="Score several images",
        description="If any image is refused, so is the request: a tensor has no place for a reason.",
        response_model=InferenceResponse,
        responses={**PREDICTION_PROBLEMS, **_NO_MODEL},
        openapi_extra={**described, **_REQUEST},
    )
    async def infer(request: Request, deadline_ms: Deadline = None) -> InferenceResponse:
        await worker.admit(request, Scope.PREDICT)
        require_own(request)
        if media_type_of(request.headers.get("content-type", "")) != _JSON:
            raise Problem(415, "unsupported-media-type", f"The Content-Type must be {_JSON}.")
        asked, served = await worker.predict_from(
            request, deadline_ms, lambda body: parse_inference(body, worker.limits)
        )
        wanted = [each.name for each in asked.outputs or ()] or ["score", "decision"]
        return _response(own, asked.id or request.state.request_id, served, wanted)


def _metadata(name: str, version: str) -> ModelMetadata:
    return ModelMetadata(
        name=name,
        versions=[version],
        platform=_PLATFORM,
        inputs=[
            TensorMetadata(name="dicom", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="image", datatype="FP32", shape=[-1, -1, -1]),
        ],
        outputs=[
            TensorMetadata(name="score", datatype="FP64", shape=[-1]),
            TensorMetadata(name="decision", datatype="BYTES", shape=[-1]),
        ],
    )


def _response(
    own: tuple[str, str], given_id: str, served: Sequence[Served], wanted: Sequence[str]
) -> InferenceResponse:
    found = [_prediction(position, each) for position, each in enumerate(served)]
    decisions = [ABSTAINED if each.reasons else one.decision for each, one in zip(served, found, strict=True)]
    scores = [None if each.reasons else one.score for each, one in zip(served, found, strict=True)]
    shape = [len(found)]
    tensors = {
        "score": OutputTensor(name="score", shape=shape, datatype="FP64", data=scores),
        "decision": OutputTensor(name="decision", shape=shape, datatype="BYTES", data=decisions),
    }
    parameters: dict[str, str | float] = {"request_id": served[0].request_id}
    parameters |= {"threshold": found[0].threshold, "digest": found[0].model.digest}
    outputs = [tensors[name] for name in dict.fromkeys(wanted)]
    return InferenceResponse(
        model_name=own[0], model_version=own[1], id=given_id, parameters=parameters, outputs=outputs
    )


def _prediction(position: int, served: Served) -> Prediction:
    outcome = served.outcome
    if isinstance(outcome, Prediction):
        return outcome
    if isinstance(outcome, Refusal):
        raise Problem(422, outcome.reason, f"Image {position} was refused: {outcome.message}")
    raise RuntimeError("an image that has no outcome yet is answered")
