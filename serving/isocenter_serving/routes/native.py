"""Our own contract: POST /v1/predict, GET /v1/model."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from isocenter_serving.access import Scope
from isocenter_serving.routes.asked import (
    ONE_OR_MANY,
    PREDICTION_PROBLEMS,
    Answer,
    Deadline,
    Predictions,
    ShowsWithheld,
    Worker,
    answers,
    problems,
)


class Model(BaseModel):
    """The model that answers."""

    model_config = ConfigDict(title="Model")

    model: str | None = Field(description="Registered name.")
    version: int | None
    digest: str
    classes: list[str]
    threshold: float
    image_size: int


def native_routes(worker: Worker) -> APIRouter:
    """The routes of this contract."""
    routes = APIRouter(tags=["isocenter"])

    @routes.post(
        "/v1/predict",
        operation_id="predict",
        summary="Score one image, or several",
        description="One DICOM instance is answered by one Answer; several, by Predictions.",
        response_model=Answer | Predictions,
        responses=PREDICTION_PROBLEMS,
        openapi_extra=ONE_OR_MANY,
    )
    async def predict(
        request: Request, deadline_ms: Deadline = None, shows_withheld: ShowsWithheld = False
    ) -> Any:
        if shows_withheld:
            await worker.admit(request, Scope.ADMIN)
        return answers(*await worker.predict(request, deadline_ms), shows_withheld=shows_withheld)

    @routes.get(
        "/v1/model",
        operation_id="describe_model",
        summary="Which model answers",
        response_model=Model,
        responses=problems(401, 403, 500, 503),
    )
    async def model(request: Request) -> Any:
        await worker.admit(request, Scope.PREDICT)
        predictor = worker.require_prediction().predictor
        decision = predictor.bundle.decision
        return {
            "model": predictor.model.name,
            "version": predictor.model.version,
            "digest": predictor.model.digest,
            "classes": list(decision.classes),
            "threshold": decision.threshold,
            "image_size": predictor.bundle.preprocessing.image_size,
        }

    return routes
