"""uvicorn's server under gunicorn, with connections shared fairly between workers."""

import asyncio
import functools
import socket
import ssl
import sys
from dataclasses import dataclass
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from isocenter_serving.connection import BoundedConnection
from isocenter_serving.limits import Limits
from isocenter_serving.sharing import Accepting, Shares, accept_fairly


@dataclass(frozen=True)
class Door:
    """How callers come in.

    Args:
        tls: for all ports but one; None: without.
        admin_port: that one; None where there is none.
    """

    tls: ssl.SSLContext | None
    admin_port: int | None


class FairServer(Server):
    """uvicorn's server.

    Args:
        config: uvicorn's.
        shares: of all workers.
        limits: of this one.
        door: TLS, and the port that goes without it.
    """

    def __init__(self, config: Config, shares: Shares, limits: Limits, door: Door) -> None:
        super().__init__(config)
        self._door = door
        self._shares, self._limits = shares, limits
        self._accepting: list[asyncio.Task[None]] = []
        self._beginning: list[Accepting] = []

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
            port = listening.getsockname()[1] if listening.family != socket.AF_UNIX else None
            tls = None if port == self._door.admin_port else self._door.tls
            beginning = Accepting(protocol, tls, self._limits.pause_s)
            self._beginning.append(beginning)
            taking = accept_fairly(listening, beginning, self._shares)
            self._accepting.append(asyncio.create_task(taking))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn. Connections that the kernel holds go to other workers."""
        self._shares.leave()
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for beginning in self._beginning:
            await beginning.settle()
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
        settings = self.app.settings
        door = Door(self.app.tls, settings.admin_port)
        server = FairServer(self.config, self.app.shares, settings.limits, door)
        self._install_sigquit_handler()
        await server.serve(sockets=[listening.sock for listening in self.sockets])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
