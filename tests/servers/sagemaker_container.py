"""A small serving program by SageMaker's container contract, for tests of what happens around it.

A second, small implementation, so that the emulator is not only held against ours. The model's
``behaviour.json`` says what it does: ``score``, ``status``, ``delay_s``, ``fails`` (at start).
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def handler(behaviour: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200 if self.path == "/ping" else 404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(behaviour.get("delay_s", 0))
            told = {
                "score": behaviour.get("score", 0.5),
                "model": os.environ["ISOCENTER_SERVING_NAME"],
                "version": int(os.environ["ISOCENTER_SERVING_NUMBER"]),
                "access": os.environ["ISOCENTER_SERVING_ACCESS"],
                "content_type": self.headers["Content-Type"],
                "bytes": len(body),
                "process": os.getpid(),
            }
            self.answer(behaviour.get("status", 200) if self.path == "/invocations" else 404, told)

        def answer(self, status: int, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    assert sys.argv[1:] == ["serve"], sys.argv
    model = Path(os.environ["ISOCENTER_SAGEMAKER_ROOT"]) / "model"
    behaviour = json.loads((model / "behaviour.json").read_text())
    if behaviour.get("fails"):
        sys.exit(str(behaviour["fails"]))
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(behaviour))
    server.daemon_threads = False
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    name, number = os.environ["ISOCENTER_SERVING_NAME"], os.environ["ISOCENTER_SERVING_NUMBER"]
    print(f"serving {name}:{number}", flush=True)
    server.serve_forever(0.05)
    server.server_close()


if __name__ == "__main__":
    main()
