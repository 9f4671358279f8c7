"""Vertex AI: AIP_HEALTH_ROUTE, and AIP_PREDICT_ROUTE with instances in JSON.

https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from typing import Any

from fastapi import APIRouter, Request

from isocenter_serving.contract import VertexRoutes
from isocenter_serving.routes.asked import (
    MANY,
    PREDICTION_PROBLEMS,
    Deadline,
    Predictions,
    Worker,
    answers,
    problems,
)
from isocenter_serving.routes.operations import Health, require_ready


def vertex_routes(worker: Worker, where: VertexRoutes) -> APIRouter:
    """The routes of this contract.

    Args:
        worker: of this process.
        where: paths.
    """
    routes = APIRouter(tags=["Vertex AI"])

    @routes.get(
        where.health,
        operation_id="vertex_health",
        summary="Whether requests are taken",
        responses=problems(503),
    )
    async def health() -> Health:
        require_ready(worker)
        return Health(status="ready")

    @routes.post(
        where.predict,
        operation_id="vertex_predict",
        summary="Score several images",
        response_model=Predictions,
        responses=PREDICTION_PROBLEMS,
        openapi_extra=MANY,
    )
    async def predict(request: Request, deadline_ms: Deadline = None) -> Any:
        return answers(*await worker.predict(request, deadline_ms, json_only=True))

    return routes
