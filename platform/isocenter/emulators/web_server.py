"""A small HTTP server of this machine only, for services that are emulated.

A test asks for faults with ``POST /emulator/faults``, a JSON object with any of

- ``times`` (1): how many requests it meets; ``path`` (""): a regular expression that their path must hold;
  ``method`` (""): theirs; ``header`` (""): likewise for one of their headers, as ``name: value``
- ``status``: answer with it, in the service's error shape; ``retry_after``: seconds for that header
- ``delay_s``: wait so long before doing anything
- ``drop``: ``"before"`` closes the connection unanswered, ``"after"`` does what was asked and then closes it

``DELETE /emulator/faults`` ends them all. Requests that a browser sends for a page are refused: a job is
somebody's program.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

_HOSTS = ("127.0.0.1", "localhost")
_FAULTS = "/emulator/faults"


@dataclass(frozen=True)
class Request:
    """What a client asked for.

    Args:
        method: upper case.
        path: as sent, still percent-encoded, without the query.
        query: name -> values.
        headers: names in lower case.
        body: empty where there is none.
        query_text: the query as sent.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    query_text: str = ""

    @property
    def plain_path(self) -> str:
        """The path with its escapes resolved."""
        return unquote(self.path)

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True)
class Answer:
    """What the client gets; a body that is no ``bytes`` is sent in chunks as it comes."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """``value`` as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


class Service(Protocol):
    """What stands behind the server's address."""

    def answer(self, request: Request) -> Answer:
        """Do what was asked. Called in a thread of its own for each connection."""
        ...

    def fault(self, status: int) -> Answer:
        """An error in the service's own shape."""
        ...


@dataclass
class _Fault:
    times: int = 1
    path: str = ""
    method: str = ""
    header: str = ""
    status: int = 0
    retry_after: str = ""
    delay_s: float = 0.0
    drop: str = ""

    def meets(self, request: Request) -> bool:
        headers = (f"{name}: {value}" for name, value in request.headers.items())
        return (
            self.method in ("", request.method)
            and re.search(self.path, request.plain_path) is not None
            and any(re.search(self.header, header) for header in headers)
        )


class WebServer:
    """Serves ``service`` on 127.0.0.1 in threads until closed.

    Args:
        service: gets every request but those for faults.
        port: 0 for a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, service: Service, port: int = 0) -> None:
        self._service = service
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "WebServer":
        """Answer from now on; connections before wait."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer | None:
        """What ``request`` gets; None: close the connection."""
        if request.headers.get("host", "").rpartition(":")[0] not in _HOSTS or "origin" in request.headers:
            return Answer(403, b"This server answers programs of this machine only.\n")
        if request.path == _FAULTS:
            return self._change_faults(request)
        fault = self._take_fault(request)
        if fault is None:
            return self._service.answer(request)
        time.sleep(fault.delay_s)
        if fault.status:
            refused = self._service.fault(fault.status)
            more = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return Answer(refused.status, refused.body, {**refused.headers, **more})
        if fault.drop == "before":
            return None
        answer = self._service.answer(request)
        return None if fault.drop else answer

    def _change_faults(self, request: Request) -> Answer:
        with self._lock:
            if request.method == "DELETE":
                self._faults.clear()
                return json_answer({})
            try:
                self._faults.append(_Fault(**json.loads(request.body)))
            except (TypeError, ValueError) as error:
                return json_answer({"error": str(error)}, 400)
        return json_answer({})

    def _take_fault(self, request: Request) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.meets(request):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(server: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = parse_qs(parts.query, keep_blank_values=True)
            body = self._body(headers)
            request = Request(self.command, parts.path, query, headers, body, parts.query)
            answer = server.answer(request)
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

        def _body(self, headers: Mapping[str, str]) -> bytes:
            if headers.get("expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if "chunked" in headers.get("transfer-encoding", ""):
                return b"".join(self._chunks())
            return self.rfile.read(int(headers.get("content-length") or 0))

        def _chunks(self) -> Iterable[bytes]:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass

        def _send(self, answer: Answer) -> None:
            body = answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if not isinstance(body, bytes):
                self.send_header("Transfer-Encoding", "chunked")
            elif "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if isinstance(body, bytes):
                self.wfile.write(body)
                return
            for chunk in body:
                if chunk:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is written about requests."""

    return Handler
