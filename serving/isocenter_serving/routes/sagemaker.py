"""SageMaker: GET /ping, POST /invocations.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
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


def sagemaker_routes(worker: Worker) -> APIRouter:
    """The routes of this contract."""
    routes = APIRouter(tags=["SageMaker"])

    @routes.get("/ping", operation_id="ping", summary="Whether requests are taken", responses=problems(503))
    async def ping() -> Health:
        require_ready(worker)
        return Health(status="ready")

    @routes.post(
        "/invocations",
        operation_id="invocations",
        summary="Score one image, or several",
        description=BY_ACCEPT,
        response_model=Answer | Predictions,
        responses=FILES_BY_ACCEPT,
        openapi_extra=ONE_OR_MANY,
    )
    async def invocations(request: Request, deadline_ms: Deadline = None) -> Any:
        if (file := await file_by_accept(worker, request, deadline_ms)) is not None:
            return file
        return answers(*await worker.predict(request, deadline_ms))

    return routes
