"""What orchestrators and Prometheus ask."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from isocenter_serving.access import Scope
from isocenter_serving.problem import Problem
from isocenter_serving.routes.asked import Worker, problems


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(title="Health")

    status: Literal["ok", "ready"]


def require_ready(worker: Worker) -> None:
    """Raise Problem 503 unless requests are taken."""
    if not worker.readiness.is_ready:
        raise Problem(503, "not-ready", "Requests are not taken.", {"Retry-After": "1"})


def operations_routes(worker: Worker, admin_port: int | None) -> APIRouter:
    """The routes of this contract.

    Args:
        worker: of this process.
        admin_port: where /metrics needs no token.
    """
    routes = APIRouter(tags=["operations"])

    @routes.get("/healthz", operation_id="live", summary="Whether the process lives", response_model=Health)
    async def live() -> Any:
        return {"status": "ok"}

    @routes.get(
        "/readyz",
        operation_id="ready",
        summary="Whether requests are taken",
        response_model=Health,
        responses=problems(503),
    )
    async def ready() -> Any:
        require_ready(worker)
        return {"status": "ready"}

    @routes.get(
        "/metrics",
        operation_id="metrics",
        summary="All workers' numbers, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **problems(401, 403, 503),
        },
    )
    async def metrics(request: Request) -> Response:
        if admin_port is None or (request.scope["server"] or ("", 0))[1] != admin_port:
            await worker.admit(request, Scope.ADMIN)
        content, media_type = worker.metrics.exposition()
        return Response(content, media_type=media_type)

    return routes
