"""What orchestrators and Prometheus ask."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

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


OPERATIONS = frozenset(("/healthz", "/readyz", "/metrics"))


class AdminPort:
    """ASGI middleware: the second port, which asks for neither token nor TLS, answers operations only.

    Args:
        app: what is inside.
        port: the second port.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app, self._port = app, port

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        is_admin = scope["type"] == "http" and (scope["server"] or ("", 0))[1] == self._port
        if is_admin and scope["path"] not in OPERATIONS:
            problem = Problem(404, "no-such-route", f"Here are only {', '.join(sorted(OPERATIONS))}.")
            await problem.response(scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


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
