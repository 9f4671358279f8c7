"""``python -m isocenter.servers.router LISTEN_FD [TLS]``, in the endpoint's directory.

TLS is a JSON object of :class:`isocenter.tls.TlsFiles`.

The listening socket is the supervisor's: while a router that was killed is started again, connections wait.
SIGTERM: no new connections; ends after the last request under way.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

from aiohttp import web

from isocenter.servers.router.control import CONTROL_SOCKET, control_app
from isocenter.servers.router.limits import Limits
from isocenter.servers.router.proxy import Proxy
from isocenter.tls import files_from_json, server_context

_DRAIN_S = 75.0
_BACKLOG = 1024


async def serve(
    listening: socket.socket, directory: Path, limits: Limits, tls: ssl.SSLContext | None = None
) -> None:
    """Answer until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    proxy = Proxy(directory, limits)
    proxy.load()
    front = web.Application()
    front.router.add_route("*", "/{path:.*}", proxy.handle)
    # What callers ask for may hold anything: there is no log of requests here.
    front_runner = web.AppRunner(front, access_log=None, shutdown_timeout=_DRAIN_S)
    control_runner = web.AppRunner(control_app(proxy), access_log=None)
    for runner in (front_runner, control_runner):
        await runner.setup()
    Path(CONTROL_SOCKET).unlink(missing_ok=True)
    await web.UnixSite(control_runner, CONTROL_SOCKET).start()
    await web.SockSite(front_runner, listening, backlog=_BACKLOG, ssl_context=tls).start()
    await ended.wait()
    await front_runner.cleanup()
    await control_runner.cleanup()
    await proxy.close()


def main() -> None:
    """Serve at the socket whose descriptor is the first argument."""
    os.umask(0o077)
    tls = server_context(files_from_json(json.loads(sys.argv[2]))) if len(sys.argv) > 2 else None
    listening = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(serve(listening, Path(), Limits(), tls))


if __name__ == "__main__":
    main()
