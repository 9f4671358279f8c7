"""The one app that answers all contracts, wired together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from isocenter_serving import __version__
from isocenter_serving.access import Denied, Gate
from isocenter_serving.access.denials import DenialLog
from isocenter_serving.exchange import QUIET, Exchange
from isocenter_serving.instance import Hook
from isocenter_serving.metrics import Metrics
from isocenter_serving.prediction import Prediction
from isocenter_serving.problem import Problem
from isocenter_serving.readiness import Readiness
from isocenter_serving.request_log import log_event
from isocenter_serving.routes.asked import BODIES, PROBLEM_MODEL, Worker
from isocenter_serving.routes.azureml import azureml_routes
from isocenter_serving.routes.native import native_routes
from isocenter_serving.routes.open_inference import open_inference_routes
from isocenter_serving.routes.operations import AdminPort, operations_routes
from isocenter_serving.routes.results import results_routes
from isocenter_serving.routes.sagemaker import sagemaker_routes
from isocenter_serving.routes.vertex import vertex_routes
from isocenter_serving.settings import ServingSettings
from isocenter_serving.tracing import Tracing

if TYPE_CHECKING:
    from isocenter_serving.predictor import Predictor


def create_app(
    settings: ServingSettings,
    load: "Callable[[], Predictor]",
    gate: Gate,
    hooks: "Callable[[Predictor], Sequence[Hook]]" = lambda _: (),
) -> FastAPI:
    """The app of one worker process. It may be made before the fork: threads begin with its lifespan.

    Args:
        settings: of the program.
        load: gives the model; called when the worker starts.
        gate: who is let in.
        hooks: gives what else is done with each image; called when the worker starts.
    """
    metrics = Metrics(settings.name or "", str(settings.number or ""))
    tracing = Tracing()
    worker = Worker(gate, settings.limits, metrics, Readiness(), json_only=settings.json_only)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tracing.start()
        predictor = load()
        chosen = hooks(predictor)
        prediction = worker.prediction = Prediction(predictor, settings, chosen, metrics, tracing)
        prediction.start()
        await prediction.warm_up()
        worker.readiness.is_warm = True
        metrics.ready(True)
        log_event("ready")
        yield
        worker.readiness.is_draining = True
        metrics.ready(False)
        await prediction.stop()
        for hook in chosen:
            hook.close()
        tracing.stop()

    app = FastAPI(
        title="Isocenter serving",
        version=__version__,
        summary="Scores of DICOM X-rays. For research, not diagnosis.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    for routes in (
        native_routes(worker),
        results_routes(worker),
        operations_routes(worker, settings.admin_port),
        sagemaker_routes(worker),
        azureml_routes(worker),
        open_inference_routes(worker, settings.name or "model", str(settings.number or 1)),
        vertex_routes(worker, settings.vertex),
    ):
        app.include_router(routes)
    _answer_problems(app, worker, settings.keeping.folder)
    _describe(app, asks_for_tokens=not settings.access.fronted)
    if settings.admin_port is not None:
        app.add_middleware(AdminPort, port=settings.admin_port)
    quiet = frozenset((*QUIET, settings.vertex.health))
    app.add_middleware(Exchange, metrics=metrics, tracing=tracing, quiet=quiet)
    return app


def _answer_problems(app: FastAPI, worker: Worker, kept: Path | None) -> None:
    denials = DenialLog(kept / "denials") if kept else None

    def answer(request: Request, problem: Problem) -> Response:
        request.state.code = problem.code
        return problem.response(request.state.request_id)

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return answer(request, error)

    @app.exception_handler(Denied)
    async def denied(request: Request, error: Denied) -> Response:
        worker.metrics.denied(error.reason)
        if denials is not None:
            await run_in_threadpool(_write_down, denials, error, request.state.request_id)
        headers = {"WWW-Authenticate": error.challenge} if error.challenge else {}
        return answer(request, Problem(error.status, error.reason, "The caller is not let in.", headers))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = {404: "no-such-route", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        return answer(request, Problem(error.status_code, code, "See /openapi.json.", error.headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, _: RequestValidationError) -> Response:
        return answer(
            request,
            Problem(400, "bad-header", "The value of a header or of a query's parameter is not of its kind."),
        )


def _write_down(denials: DenialLog, denied: Denied, request_id: str) -> None:
    """Keep a denial; where the disk refuses, the log has it."""
    try:
        if denials.record(denied, request_id):
            return
    except OSError:
        pass
    log_event("denied", reason=denied.reason, subject=denied.subject, request_id=request_id)


def _describe(app: FastAPI, *, asks_for_tokens: bool) -> None:
    """Add to OpenAPI the models of what is read by hand and of problems, and where a token is asked for."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            for model in (*BODIES, PROBLEM_MODEL):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(schema.pop("$defs", {}))
                schemas[schema["title"]] = schema
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            if asks_for_tokens:
                _describe_tokens(found)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _describe_tokens(schema: dict[str, Any]) -> None:
    """A token is asked for wherever 401 may be answered."""
    schema["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Of the endpoint's issuer (RFC 9068), with a scope of: predict, explain, admin.",
        }
    }
    for path in schema["paths"].values():
        for operation in path.values():
            if "401" in operation.get("responses", {}):
                operation["security"] = [{"token": []}]
