"""uvicorn's server under gunicorn, with connections shared fairly between workers."""

import asyncio
import functools
import socket
import sys
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from isocenter_serving.connection import BoundedConnection
from isocenter_serving.limits import Limits
from isocenter_serving.sharing import Shares, accept_fairly


class FairServer(Server):
    """uvicorn's server.

    Args:
        config: uvicorn's.
        shares: of all workers.
        limits: of this one.
    """

    def __init__(self, config: Config, shares: Shares, limits: Limits) -> None:
        super().__init__(config)
        self._shares, self._limits = shares, limits
        self._accepting: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn. Connections are taken from now on."""
        await super().startup(sockets=[])
        protocol = functools.partial(
            BoundedConnection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            shares=self._shares,
            limits=self._limits,
        )
        self._shares.join()
        for listening in sockets or []:
            listening.setblocking(False)
            self._accepting.append(asyncio.create_task(accept_fairly(listening, protocol, self._shares)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn. Connections that the kernel holds go to other workers."""
        self._shares.leave()
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await super().shutdown(sockets)


class BoundedWorker(UvicornWorker):  # type: ignore[misc]
    """uvicorn's worker, with bounded connections that are shared fairly."""

    CONFIG_KWARGS = {  # noqa: RUF012 - uvicorn's own
        "loop": "uvloop",
        "http": BoundedConnection,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.config.limit_concurrency = self.app.settings.limits.connections

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = FairServer(self.config, self.app.shares, self.app.settings.limits)
        self._install_sigquit_handler()
        await server.serve(sockets=[listening.sock for listening in self.sockets])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
