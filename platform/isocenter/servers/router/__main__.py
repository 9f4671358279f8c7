"""``python -m isocenter.servers.router LISTEN_FD [TLS]``, in the endpoint's directory.

TLS is a JSON object of :class:`isocenter.tls.TlsFiles`.

The listening socket is the supervisor's: while a router that was killed is started again, connections wait.
SIGTERM: no new connections; ends after the last request under way, also one whose body is still coming.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from isocenter.servers.router.connection import FrontServer
from isocenter.servers.router.control import CONTROL_SOCKET, control_app
from isocenter.servers.router.limits import Limits
from isocenter.servers.router.proxy import Proxy
from isocenter.tls import files_from_json, server_context

_DRAIN_S = 70.0
"""Less than the supervisor waits for."""
_SETTLE_S = 0.25
"""What callers sent before the signal is taken: connections and bytes that the kernel holds."""
_LEFT_S = 1.0
_BACKLOG = 1024


async def serve(
    listening: socket.socket, directory: Path, limits: Limits, tls: ssl.SSLContext | None = None
) -> None:
    """Answer until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    asyncio.get_running_loop().set_exception_handler(_say_kind)
    proxy = Proxy(directory, limits)
    proxy.load()
    front = FrontServer(proxy.handle, limits)
    front_runner = web.ServerRunner(front, shutdown_timeout=_LEFT_S)
    control_runner = web.AppRunner(control_app(proxy), access_log=None)
    for runner in (front_runner, control_runner):
        await runner.setup()
    Path(CONTROL_SOCKET).unlink(missing_ok=True)
    await web.UnixSite(control_runner, CONTROL_SOCKET).start()
    site = web.SockSite(front_runner, listening, backlog=_BACKLOG, ssl_context=tls)
    await site.start()
    await ended.wait()
    proxy.is_ending = True
    await asyncio.sleep(_SETTLE_S)
    await site.stop()
    await front.drain(_DRAIN_S)
    await front_runner.cleanup()
    await control_runner.cleanup()
    await proxy.close()


def _say_kind(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What went wrong beside a request, in a line without what callers sent."""
    kind = type(context.get("exception")).__name__
    print(f"The router goes on after an error: {kind}.", file=sys.stderr, flush=True)


def main() -> None:
    """Serve at the socket whose descriptor is the first argument."""
    os.umask(0o077)
    tls = server_context(files_from_json(json.loads(sys.argv[2]))) if len(sys.argv) > 2 else None
    listening = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(serve(listening, Path(), Limits(), tls))


if __name__ == "__main__":
    main()
