"""Callers' connections: nothing that came is repeated or logged, and half a request holds none open for long.

aiohttp answers what it can't parse with the bytes that it couldn't, logs them too, bounds the time between
requests only, and forgets bodies that are under way when it ends. Here it doesn't.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage

from isocenter.servers.router.limits import Limits, RefusedError

_HEAD_BYTES = 64 * 1024
"""As the serving app has it."""
_KEEP_ALIVE_S = 75.0
_PAUSE_S = 0.02


class Connection(web.RequestHandler):
    """One connection.

    Args:
        manager: whose connection it is.
        head_s: the head of a request must be whole within this time.
        aiohttps: the other arguments.
    """

    def __init__(self, manager: web.Server, head_s: float, **aiohttps: Any) -> None:
        super().__init__(manager, **aiohttps)
        self._head_s, self._head_bytes = head_s, 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is no request on it, nor the begin of one."""
        return self._is_between_requests() and not self._head_bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._timer = self._loop.call_later(self._head_s, self._give_up)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See ``asyncio.Protocol``."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        super().data_received(data)
        self._break_off_body()
        if not self._is_between_requests():
            self._head_bytes = 0
            self._stop_timer()
        elif data:
            self._head_bytes += len(data)
            self._timer = self._timer or self._loop.call_later(self._head_s, self._give_up)
            if self._head_bytes > _HEAD_BYTES:
                self._end_with(_malformed())

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """See aiohttp; ``message`` holds what came and goes nowhere."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("Nobody is there who could read an answer.")
        refused = _malformed()
        if status >= 500:
            self.log_exception("", exc_info=exc)
            refused = RefusedError(500, "defect", "A defect in the endpoint.")
        response = refused.response()
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Only what kind of error it is: its message may hold what came."""
        error = kw.get("exc_info")
        if not isinstance(error, web.RequestPayloadError):  # the caller's, who was told
            self.logger.error("A request could not be answered: %s.", type(error).__name__)

    def _break_off_body(self) -> None:
        """Where what came can't be read, the body under way won't get whole: aiohttp would wait for it."""
        request = self._current_request
        is_broken = bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)
        if is_broken and request is not None and not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError())

    def _is_between_requests(self) -> bool:
        if not self._request_count:
            return True
        return self._waiter is not None and not self._waiter.done() and not self._messages

    def _give_up(self) -> None:
        self._timer = None
        if self._head_bytes:
            self._end_with(RefusedError(408, "request-timeout", "The head of the request came too slowly."))
        else:
            self.force_close()

    def _end_with(self, refused: RefusedError) -> None:
        """Close with an answer to what isn't a request yet."""
        body = refused.body()
        if self.transport is not None:
            head = (
                f"HTTP/1.1 {refused.status} {refused.title}\r\nContent-Type: {refused.MEDIA_TYPE}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.force_close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class FrontServer(web.Server):
    """aiohttp's server with such connections; bodies are passed on as they came.

    Args:
        handler: answers a request.
        limits: bounds.
    """

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: Limits
    ) -> None:
        super().__init__(
            handler,
            access_log=None,  # what callers ask for may hold anything
            auto_decompress=False,
            max_line_size=_HEAD_BYTES,
            max_field_size=_HEAD_BYTES,
            keepalive_timeout=_KEEP_ALIVE_S,
        )
        self._head_s = limits.pause_s

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        return Connection(self, self._head_s, loop=self._loop, **self._kwargs)

    async def drain(self, seconds: float) -> None:
        """Wait until the requests under way are answered, also those that have only begun to come.

        Args:
            seconds: not longer than this.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.connections:
                    for connection in self.connections:
                        if isinstance(connection, Connection) and connection.is_idle:
                            connection.force_close()
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            return


def _malformed() -> RefusedError:
    return RefusedError(400, "malformed", "What came is no HTTP request that can be read.")
