"""``python -m isocenter.servers.router LISTEN_FD``, in the endpoint's directory.

The listening socket is the supervisor's: while a router that was killed is started again, connections wait.
SIGTERM: no new connections; ends after the last request under way.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from isocenter.servers.router.control import CONTROL_SOCKET, control_app
from isocenter.servers.router.limits import Limits
from isocenter.servers.router.proxy import Proxy

_DRAIN_S = 75.0
_BACKLOG = 1024


async def serve(listening: socket.socket, directory: Path, limits: Limits) -> None:
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
    await web.SockSite(front_runner, listening, backlog=_BACKLOG).start()
    await ended.wait()
    await front_runner.cleanup()
    await control_runner.cleanup()
    await proxy.close()


def main() -> None:
    """Serve at the socket whose descriptor is the one argument."""
    os.umask(0o077)
    listening = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(serve(listening, Path(), Limits()))


if __name__ == "__main__":
    main()
