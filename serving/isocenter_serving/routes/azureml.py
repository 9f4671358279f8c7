"""Azure ML: liveness, readiness and scoring routes, which a deployment's inference_config names.

https://learn.microsoft.com/azure/machine-learning/how-to-deploy-custom-container
"""

from typing import Any

from fastapi import APIRouter, Request

from isocenter_serving.routes.asked import (
    ONE_OR_MANY,
    Answer,
    Deadline,
    Predictions,
    Worker,
    answers,
    problems,
)
from isocenter_serving.routes.operations import Health, require_ready
from isocenter_serving.routes.results import BY_ACCEPT, FILES_BY_ACCEPT, file_by_accept


def azureml_routes(worker: Worker) -> APIRouter:
    """The routes of this contract."""
    routes = APIRouter(tags=["Azure ML"])

    @routes.get("/azureml/live", operation_id="azureml_live", summary="Whether the process lives")
    async def live() -> Health:
        return Health(status="ok")

    @routes.get(
        "/azureml/ready",
        operation_id="azureml_ready",
        summary="Whether requests are taken",
        responses=problems(503),
    )
    async def ready() -> Health:
        require_ready(worker)
        return Health(status="ready")

    @routes.post(
        "/score",
        operation_id="score",
        summary="Score one image, or several",
        description=BY_ACCEPT,
        response_model=Answer | Predictions,
        responses=FILES_BY_ACCEPT,
        openapi_extra=ONE_OR_MANY,
    )
    async def score(request: Request, deadline_ms: Deadline = None) -> Any:
        if (file := await file_by_accept(worker, request, deadline_ms)) is not None:
            return file
        return answers(*await worker.predict(request, deadline_ms))

    return routes
