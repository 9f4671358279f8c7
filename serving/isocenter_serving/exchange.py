"""Around every request: an id, a log line, counts, a span, and an answer whatever happens."""

import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isocenter.domain.run import new_run_id
from isocenter_serving.metrics import Metrics
from isocenter_serving.problem import Problem
from isocenter_serving.request_log import log_defect, log_request
from isocenter_serving.tracing import Tracing

UNMATCHED = "unmatched"
_GONE = 499
"""nginx's number for a client that has gone; only in log and metrics, since nobody reads the answer."""
QUIET = frozenset(
    ("/healthz", "/readyz", "/metrics", "/ping", "/azureml/live", "/azureml/ready", "/v2/health/live")
) | {"/v2/health/ready", "/v2/models/{name}/ready"}
"""Routes that are asked all the time."""


class Exchange:
    """ASGI middleware, the outermost.

    Args:
        app: what is inside.
        metrics: where requests are counted.
        tracing: where they are shown.
        quiet: routes that are asked all the time, and logged only when they fail.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing, quiet: frozenset[str]) -> None:
        self._app, self._metrics, self._tracing, self._quiet = app, metrics, tracing, quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, request_id = time.monotonic(), str(new_run_id())
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        with self._tracing.request(Headers(scope=scope), request_id) as span:
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                answer.status = _GONE
            except Exception as error:
                log_defect(request_id, error)
                if answer.status:
                    raise Defect from None
                problem = Problem(500, "defect", "A defect in the endpoint.")
                await problem.response(request_id)(scope, receive, answer.send)
            route = _route(scope)
            span.finish(scope["method"], route, answer.status)
        seconds = time.monotonic() - began
        self._metrics.request(route, answer.status, seconds)
        if route not in self._quiet or answer.status >= 400:
            log_request(
                request_id,
                scope["method"],
                route,
                answer.status,
                seconds,
                code=scope["state"].get("code", ""),
                abstained=scope["state"].get("abstained", 0),
            )


class Defect(Exception):  # noqa: N818 - what it is
    """An answer broke off; the log has it under the request's id."""


class _Answer:
    """Passes the answer on with the request's id, and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = self._request_id
        await self._send(message)


def _route(scope: Scope) -> str:
    """The route's template; a path itself may hold anything."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", UNMATCHED))
