"""A small serving container with the contracts of Vertex AI and Azure ML, for tests of what is around it.

``serving_stand_in.py serve``. The model's ``behaviour.json`` says what it does: ``score``, ``status``,
``reasons`` (why it abstains), ``delay_s`` (of an answer), ``start_s``, ``fails`` (at start).
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

assert sys.argv[1] == "serve"


def model_folder() -> Path:
    if uri := os.environ.get("AIP_STORAGE_URI", ""):
        # Google's storage is reached in another way; here the emulated bucket is a folder.
        return Path(os.environ["ISOCENTER_GCS_ROOT"]) / uri.removeprefix("gs://")
    return next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("behaviour.json")).parent


BEHAVIOUR: Mapping[str, Any] = json.loads((model_folder() / "behaviour.json").read_text())
HEALTH = os.environ.get("AIP_HEALTH_ROUTE", "/azureml/ready")
OPTION = "ISOCENTER_SERVING_{}".format


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send(200 if self.path in (HEALTH, "/azureml/live") else 404, {"status": "ready"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(BEHAVIOUR.get("delay_s", 0)))
        reasons = BEHAVIOUR.get("reasons", [])
        answer = {
            "score": BEHAVIOUR.get("score", 0.5),
            "decision": "abstained" if reasons else "normal",
            "version": int(os.environ[OPTION("NUMBER")]),
            "digest": os.environ[OPTION("DIGEST")],
            "bytes": len(body),
            "authorization": self.headers.get("Authorization"),
            "access": os.environ[OPTION("ACCESS")],
        }
        status = int(BEHAVIOUR.get("status", 200))
        said = {"status": status, **({"abstained": 1} if reasons else {})}
        print(json.dumps({"at": now(), "message": "request", **said}), flush=True)
        is_batch = self.path == os.environ.get("AIP_PREDICT_ROUTE")
        self.send(status, {"predictions": [answer]} if is_batch else answer)

    def send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "+00:00"


def main() -> None:
    if BEHAVIOUR.get("fails"):
        sys.exit(str(BEHAVIOUR["fails"]))
    time.sleep(float(BEHAVIOUR.get("start_s", 0)))
    port = int(os.environ.get("AIP_HTTP_PORT") or os.environ["ISOCENTER_SERVING_PORT"])
    server = Server((os.environ["ISOCENTER_SERVING_HOST"], port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"at": now(), "message": "serving"}), flush=True)
    server.serve_forever(0.02)
    server.server_close()


if __name__ == "__main__":
    main()
