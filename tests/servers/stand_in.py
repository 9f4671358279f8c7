"""A small serving program with the serving app's arguments, for tests of what happens around it.

``stand_in.py serve --bundle DIR ... --socket PATH --workers W``. The bundle's ``behaviour.json`` says what it
does: ``score``, ``status``, ``decision``, ``delay_s`` (of an answer), ``start_s``, ``fails`` (at start).
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from aiohttp import web


def app(options: argparse.Namespace, behaviour: dict[str, object]) -> web.Application:
    async def predict(request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(float(behaviour.get("delay_s", 0)))
        answer = {
            "score": behaviour.get("score", 0.5),
            "decision": behaviour.get("decision", "normal"),
            "model": options.name,
            "version": int(options.number),
            "digest": options.digest,
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "authorization": request.headers.get("Authorization"),
            "worker": os.getpid(),
        }
        if behaviour.get("mark"):
            with Path(str(behaviour["mark"])).open("a") as stream:
                stream.write(request.headers.get("X-Isocenter-Copy", "0"))
        return web.json_response(answer, status=int(behaviour.get("status", 200)))

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    application = web.Application(client_max_size=1 << 30)
    application.add_routes([web.get(path, ready) for path in ("/healthz", "/readyz")])
    application.add_routes([web.post("/predict", predict)])
    return application


def work(listening: socket.socket, options: argparse.Namespace, behaviour: dict[str, object]) -> None:
    async def serve() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        bounds = {"auto_decompress": False, "max_field_size": 1 << 16, "max_line_size": 1 << 16}
        runner = web.AppRunner(app(options, behaviour), shutdown_timeout=30, **bounds)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await ended.wait()
        await runner.cleanup()

    asyncio.run(serve())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb")
    for name in ("bundle", "digest", "name", "number", "socket", "workers"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    behaviour = json.loads((Path(options.bundle) / "behaviour.json").read_text())
    if behaviour.get("fails"):
        sys.exit(str(behaviour["fails"]))
    time.sleep(float(behaviour.get("start_s", 0)))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(options.socket)
    listening.listen(1024)
    workers: dict[int, None] = {}
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    print(f"serving {options.name}:{options.number}", flush=True)
    while not stopping or workers:
        while not stopping and len(workers) < int(options.workers):
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                work(listening, options, behaviour)
                os._exit(0)
            workers[pid] = None
        for pid in list(workers) if stopping == [1] else ():
            os.kill(pid, signal.SIGTERM)
        if stopping == [1]:
            stopping.append(2)
        time.sleep(0.02)
        while workers:
            ended, _ = os.waitpid(-1, os.WNOHANG)
            if not ended:
                break
            workers.pop(ended, None)


if __name__ == "__main__":
    main()
