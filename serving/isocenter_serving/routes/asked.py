"""What all prediction routes do: let the caller in, read the body, predict."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from isocenter_serving.access import Gate, Scope
from isocenter_serving.answer import Refusal
from isocenter_serving.body import whole_body
from isocenter_serving.instance import Instance, Served
from isocenter_serving.limits import Holdings, Limits
from isocenter_serving.metrics import Metrics
from isocenter_serving.prediction import Prediction
from isocenter_serving.problem import MEDIA_TYPE, Problem, ProblemBody
from isocenter_serving.readiness import Readiness
from isocenter_serving.requests.json_instances import InstancesBody
from isocenter_serving.requests.kinds import BINARY, kind_of
from isocenter_serving.requests.open_inference import InferenceRequest

Deadline = Annotated[
    int | None,
    Header(
        alias="X-Deadline-Milliseconds",
        ge=1,
        le=3_600_000,
        description="The answer is of no use later. The endpoint's own deadline holds all the same.",
    ),
]
ShowsWithheld = Annotated[
    bool,
    Query(
        alias="show_withheld",
        description="Show scores also where the model abstains, by which nobody is to decide. "
        "Needs the scope admin as well.",
    ),
]
COPY_HEADER = "X-Isocenter-Copy"
_Asked = TypeVar("_Asked")


class Answer(BaseModel):
    """What the model says about one image."""

    model_config = ConfigDict(title="Answer")

    score: float | None = Field(ge=0, le=1, description="Calibrated; null where the model abstains.")
    decision: str = Field(description="A class of the model, or `abstained`.")
    threshold: float = Field(description="The positive class is called from this score on.")
    model: str | None = Field(description="Registered name.")
    version: int | None = Field(description="Number of the model's version.")
    digest: str = Field(description="Of the model's files.")
    reasons: list[str] = Field(description="Why the model abstains; empty where it decides.")
    verdict: dict[str, Any] | None = Field(description="What was found about the image.")
    request_id: str


class Refused(BaseModel):
    """An image of a batch that has no score."""

    model_config = ConfigDict(title="Refused")

    refused: str = Field(description="Why, for programs.")
    message: str = Field(description="Why, for people.")
    request_id: str


class Predictions(BaseModel):
    """One answer an image, in the request's order."""

    model_config = ConfigDict(title="Predictions")

    predictions: list[Answer | Refused]


class Worker:
    """What the routes share in one process.

    Args:
        gate: who is let in.
        limits: bounds.
        metrics: what is counted.
        readiness: whether requests are taken.
        json_only: whether pictures and DICOM objects are refused.
    """

    def __init__(
        self, gate: Gate, limits: Limits, metrics: Metrics, readiness: Readiness, *, json_only: bool = False
    ) -> None:
        self.gate, self.limits, self.metrics, self.readiness = gate, limits, metrics, readiness
        self._json_only = json_only
        self.prediction: Prediction | None = None
        self.bodies = Holdings(
            limits.held_bytes, "busy", "Too many bytes of requests are held; come again a little later."
        )

    def require_prediction(self) -> Prediction:
        """The loaded model.

        Raises:
            Problem: 503; it isn't there yet.
        """
        if self.prediction is None or not self.readiness.is_warm:
            raise Problem(503, "not-ready", "The model is being loaded.", {"Retry-After": "1"})
        return self.prediction

    async def admit(self, request: Request, scope: Scope) -> None:
        """Let the caller in.

        Raises:
            Denied: not for this scope.
        """
        await self.gate.admit(request.headers.get("authorization"), scope)

    def require_files(self) -> None:
        """Raise Problem 406 where the service in front keeps answers: files hold pixels and names."""
        if self._json_only:
            raise Problem(
                406,
                "json-only",
                "Answers are captured here, so pictures and DICOM objects, which hold patient data, are not "
                "given: ask for application/json.",
            )

    async def predict(
        self, request: Request, deadline_ms: int | None, *, json_only: bool = False
    ) -> tuple[list[Served], bool]:
        """What becomes of the request's images, and whether a list of answers is due.

        Raises:
            Denied: the caller isn't let in.
            Problem: there is no answer.
        """
        await self.admit(request, Scope.PREDICT)
        self.require_prediction()
        kind = kind_of(request.headers.get("content-type", ""), self.limits, json_only=json_only)
        _, served = await self.predict_from(request, deadline_ms, lambda body: (None, kind.parse(body)))
        return served, kind.is_batch

    async def predict_from(
        self,
        request: Request,
        deadline_ms: int | None,
        parse: Callable[[bytes], tuple[_Asked, Sequence[Instance]]],
    ) -> tuple[_Asked, list[Served]]:
        """What ``parse`` says about the request besides its images, and what becomes of these.

        Raises:
            Problem: there is no answer.
        """
        prediction = self.require_prediction()
        async with whole_body(request, self.limits, self.bodies) as body:
            asked, served = await prediction.predict(
                request.state.request_id,
                lambda: parse(body),
                self.deadline(deadline_ms),
                is_kept=not is_copy(request),
            )
            request.state.abstained = sum(1 for each in served if each.reasons)
            return asked, served

    @asynccontextmanager
    async def predicted(
        self, request: Request, deadline_ms: int | None, *, is_kept: bool
    ) -> AsyncIterator[Served]:
        """The request's only image, scored, for the ``with`` block, which must end before the deadline.

        Args:
            request: of any form.
            deadline_ms: as the caller asks.
            is_kept: whether its features may be kept.

        Raises:
            Problem: there is no answer, more than one image, or the deadline has passed.
        """
        prediction = self.require_prediction()
        kind = kind_of(request.headers.get("content-type", ""), self.limits)
        async with whole_body(request, self.limits, self.bodies) as body:
            deadline = self.deadline(deadline_ms)
            _, (served,) = await prediction.predict(
                request.state.request_id, lambda: (None, _only(kind.parse(body))), deadline, is_kept=is_kept
            )
            if isinstance(served.outcome, Refusal):
                raise Problem(422, served.outcome.reason, served.outcome.message)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    yield served
            except TimeoutError:
                raise Problem(504, "deadline", "There was no answer before the deadline.") from None

    def deadline(self, deadline_ms: int | None) -> float:
        """When an answer must be there, by ``time.monotonic()``."""
        asked = self.limits.deadline_s if deadline_ms is None else deadline_ms / 1000
        return time.monotonic() + min(asked, self.limits.deadline_s)


def _only(instances: Sequence[Instance]) -> Sequence[Instance]:
    if len(instances) != 1:
        raise Problem(400, "not-one-image", "The request must hold exactly one image.")
    return instances


def is_copy(request: Request) -> bool:
    """Whether the router sent this, to compare two versions; another version has answered the caller.

    Only at a Unix socket, where nobody but the router asks: a caller must not say so of itself.
    """
    _, port = request.scope["server"] or ("", 0)
    return port is None and request.headers.get(COPY_HEADER) == "1"


def answers(served: list[Served], is_batch: bool, *, shows_withheld: bool = False) -> dict[str, Any]:
    """The answer's body: one image's, or a list.

    Raises:
        Problem: 422; the only image was refused.
    """
    if is_batch:
        return {"predictions": [each.as_json(shows_withheld=shows_withheld) for each in served]}
    outcome = served[0].outcome
    if isinstance(outcome, Refusal):
        raise Problem(422, outcome.reason, outcome.message)
    return served[0].as_json(shows_withheld=shows_withheld)


_BYTES = {"type": "string", "format": "binary"}
_INSTANCE = {
    media_type: {"schema": {**_BYTES, "description": "A DICOM instance (PS3.10)."}} for media_type in BINARY
}
ONE: dict[str, Any] = {"requestBody": {"required": True, "content": _INSTANCE}}
ONE_OR_MANY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **_INSTANCE,
            "multipart/related": {"schema": {**_BYTES, "description": "Parts of application/dicom."}},
            "application/json": {"schema": {"$ref": "#/components/schemas/Instances"}},
        },
    }
}
MANY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Instances"}}},
    }
}
BODIES = (InstancesBody, InferenceRequest)
"""Models of bodies, which FastAPI doesn't see because it doesn't read them."""

_WHY = {
    400: "The request is not of the form that its Content-Type says.",
    401: "No token, or not a good one.",
    403: "The token is not for this.",
    406: "Answers are captured here; pictures and DICOM objects are not given.",
    408: "The body did not come in time.",
    413: "The body is too large, or holds too many images or values.",
    415: "The Content-Type is not one that is read.",
    422: "The only image was refused; `code` says why.",
    429: "Too much is waiting. `Retry-After` says when to come again.",
    500: "A defect; the log has it under the request's id.",
    502: "The router's: the request ended two processes one after the other.",
    503: "The model is being loaded, or tokens can't be checked now.",
    504: "There was no answer before the deadline.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about these statuses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _WHY[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def file_of(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about an answer that is a file."""
    return {200: {"description": description, "content": {media_type: {"schema": _BYTES}}}}


PREDICTION_PROBLEMS = problems(*(status for status in _WHY if status != 406))
FILE_PROBLEMS = problems(*_WHY)
PROBLEM_MODEL = ProblemBody
