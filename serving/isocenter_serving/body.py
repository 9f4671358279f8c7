"""The whole body of a request, within bounds of size and time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from isocenter_serving.limits import Holdings, Limits
from isocenter_serving.problem import Problem


@asynccontextmanager
async def whole_body(request: Request, limits: Limits, held: Holdings) -> AsyncIterator[bytes]:
    """The body, for the length of the ``with`` block, in which its bytes count as held.

    Raises:
        Problem: 413 (too large), 408 (too slow), 429 (too much is held already).
        ClientDisconnect: nobody waits for an answer.
    """
    _require_size(_declared(request), limits)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in _parts(request, limits):
            held.take(len(part))
            size += len(part)
            _require_size(size, limits)
            parts.append(part)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        yield body
    finally:
        held.give_back(size)


async def _parts(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    until = time.monotonic() + limits.body_s
    more = True
    while more:
        try:
            async with asyncio.timeout(min(limits.pause_s, until - time.monotonic())):
                message = await request.receive()
        except TimeoutError:
            raise Problem(408, "slow-body", "The body did not come in time.") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part


def _declared(request: Request) -> int:
    """What Content-Length says; the HTTP parser has made sure that it is a number."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0


def _require_size(size: int, limits: Limits) -> None:
    if size > limits.body_bytes:
        detail = f"A request has at most {limits.body_bytes} bytes here."
        raise Problem(413, "too-large", detail)
