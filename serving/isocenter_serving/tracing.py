"""Traces of OpenTelemetry: a span a request, a span a step. Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set.

Attributes are the route, the status, the number of images and the request's id: nothing of its content.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracing:
    """Spans of this process. ``start`` comes after the fork: it starts the thread that sends them."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self._provider: Any = None

    def start(self) -> None:
        """Begin, if the environment asks for it. Sampling and headers are configured by OTEL_* too."""
        if not any(os.environ.get(name) for name in _VARIABLES):
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", "isocenter-serving")
        self._provider = TracerProvider(resource=Resource.create({"service.name": name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("isocenter_serving")

    def stop(self) -> None:
        """Send what waits."""
        if self._provider is not None:
            self._provider.shutdown()

    def step(self, name: str) -> AbstractContextManager[Any]:
        """A span within the request's."""
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False)

    @contextmanager
    def request(self, headers: Mapping[str, str], request_id: str) -> Iterator["RequestSpan"]:
        """The span of a request; it belongs to the caller's trace where ``traceparent`` names one."""
        if self._tracer is None:
            yield RequestSpan(None)
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(headers)
        with self._tracer.start_as_current_span(
            "request",
            context,
            SpanKind.SERVER,
            {"isocenter.request_id": request_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)


class RequestSpan:
    """What is said about a request when it is known.

    Args:
        span: of OpenTelemetry; None where there are no traces.
    """

    def __init__(self, span: Any) -> None:
        self._span = span

    def finish(self, method: str, route: str, status: int) -> None:
        """Name the span by the route."""
        if self._span is None:
            return
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        )
