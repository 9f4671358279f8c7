"""Traces, as a collector gets them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving_program import running


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_request_is_a_trace_within_the_callers(
    collector: ThreadingHTTPServer, registered: Path, files: list[Path], tmp_path: Path
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with running(tmp_path / "log", registered, environment=environment) as program:
        answer = program.predict(files[0].read_bytes(), traceparent=f"00-{trace}-{parent}-01")
        assert program.stop() == 0  # what waits is sent before the end
    found = []
    for path, body in collector.received:  # type: ignore[attr-defined]
        assert path == "/v1/traces"
        message = ExportTraceServiceRequest.FromString(body)
        assert b"CANARY" not in body
        found += [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]
    ours = [span for span in found if span.trace_id.hex() == trace]
    assert {span.name for span in ours} == {"POST /v1/predict", "decode", "score"}
    (request,) = [span for span in ours if span.name.startswith("POST")]
    assert request.parent_span_id.hex() == parent
    assert all(s.parent_span_id == request.span_id for s in ours if s is not request)
    said = {each.key: each.value.string_value or each.value.int_value for each in request.attributes}
    assert said["isocenter.request_id"] == answer.headers["X-Request-Id"]
    assert said["http.response.status_code"] == 200


def test_a_collector_that_is_down_harms_nobody(registered: Path, files: list[Path], tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with running(tmp_path / "log", registered, environment=environment) as program:
        assert program.predict(files[0].read_bytes()).status_code == 200
        program.stop()
        assert "CANARY" not in json.dumps(program.log())
