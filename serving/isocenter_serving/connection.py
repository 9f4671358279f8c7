"""HTTP connections that can't be held open by sending nothing, or half a request.

uvicorn bounds the time between requests only. Here the head of a request must be whole in time and of bounded
size; and where an answer goes out before the request's body is whole (it was refused), the rest is read and
dropped for a while, so that a client that is still sending can read why.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isocenter_serving.limits import Limits
from isocenter_serving.sharing import Shares

_HEAD_BYTES = 64 * 1024


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection with the bounds above.

    Args:
        shares: where busy connections are counted.
        limits: how long a head, and what is left of a body, may take.
        uvicorns: the other arguments.
    """

    def __init__(self, *, shares: Shares, limits: Limits, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._shares, self._is_busy = shares, False
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes: int | None = 0
        """Of the head that is being received; None while there is none."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._set_busy(True)
        self._close_after(self._limits.pause_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._keep_open()
        self._set_busy(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """See ``httptools``."""
        super().on_message_begin()
        self._set_busy(True)
        self._head_bytes = 0
        self._close_after(self._limits.pause_s)

    def on_headers_complete(self) -> None:
        """See ``httptools``."""
        self._head_bytes = None
        self._keep_open()
        super().on_headers_complete()
        # A connection that was being taken when the worker began to end is not among those that uvicorn ends.
        if self._shares.has_left or self._shares.is_much_busier():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """See ``httptools``."""
        self._keep_open()
        super().on_message_complete()
        # uvicorn leaves this undone where the answer is out already.
        self.cycle.more_body = False

    def on_response_complete(self) -> None:
        """See ``RequestResponseCycle``."""
        super().on_response_complete()
        self._set_busy(bool(self.pipeline))
        if self.cycle.more_body and not self.transport.is_closing():
            self._close_after(self._limits.body_s)

    def _set_busy(self, busy: bool) -> None:
        self._shares.add(int(busy) - int(self._is_busy))
        self._is_busy = busy

    def _close_after(self, seconds: float) -> None:
        self._keep_open()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _keep_open(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
