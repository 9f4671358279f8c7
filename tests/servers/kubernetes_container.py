"""A small serving program by Kubernetes' container contract, for tests of what happens around it.

A second, small implementation, so that the emulator is not only held against ours. The bundle's
``behaviour.json`` says what it does: ``score``, ``status``, ``delay_s``, ``start_s``, ``fails`` (at start).
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

SCOPE = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request"
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0"}
PREFIX = "isocenter_serving_"
SEEN: list[tuple[int, float]] = []


def behaviour() -> dict[str, Any]:
    place = os.environ["ISOCENTER_SERVING_BUNDLE"].removeprefix("s3://")
    address = f"{os.environ['AWS_ENDPOINT_URL']}/{place}/behaviour.json"
    with urlopen(Request(address, headers=SIGNED), timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def metrics() -> str:
    lines = []
    for status in {status for status, _ in SEEN}:
        count = sum(each == status for each, _ in SEEN)
        lines.append(f'{PREFIX}requests_total{{route="/v1/predict",status="{status}"}} {count}.0')
    for bound in (0.1, 1.0, 30.0):
        count = sum(seconds <= bound for _, seconds in SEEN)
        lines.append(f'{PREFIX}request_seconds_bucket{{le="{bound}",route="/v1/predict"}} {count}.0')
    lines.append(f'{PREFIX}requests_total{{route="/readyz",status="200"}} 1000.0')
    return "\n".join(lines) + "\n"


def handler(told: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, metrics().encode())
            else:
                self.answer(200 if self.path in ("/readyz", "/healthz") else 404, b"{}")

        def do_POST(self) -> None:
            began = time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(told.get("delay_s", 0))
            answer = {
                "score": told.get("score", 0.5),
                "version": int(os.environ["ISOCENTER_SERVING_NUMBER"]),
                "authorization": self.headers.get("Authorization"),
                "bytes": len(body),
                "process": os.getpid(),
            }
            status = told.get("status", 200)
            SEEN.append((status, time.monotonic() - began))
            self.answer(status, json.dumps(answer).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    assert sys.argv[1:] == ["serve"], sys.argv
    told = behaviour()
    if told.get("fails"):
        sys.exit(str(told["fails"]))
    time.sleep(told.get("start_s", 0))
    host = os.environ["ISOCENTER_SERVING_HOST"]
    ports = (int(os.environ[f"ISOCENTER_SERVING_{name}PORT"]) for name in ("", "ADMIN_"))
    servers = [ThreadingHTTPServer((host, port), handler(told)) for port in ports]
    for server in servers:
        server.daemon_threads = False

    def end(*_: Any) -> None:
        for server in servers:
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    name, number = os.environ["ISOCENTER_SERVING_NAME"], os.environ["ISOCENTER_SERVING_NUMBER"]
    print(f"serving {name}:{number}", flush=True)
    threading.Thread(target=servers[1].serve_forever, args=(0.05,)).start()
    servers[0].serve_forever(0.05)
    for server in servers:
        server.server_close()


if __name__ == "__main__":
    main()
