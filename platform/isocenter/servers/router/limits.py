"""What one endpoint takes at once, so that its memory stays bounded whatever comes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of the router.

    Args:
        body_bytes: the largest request.
        buffered_bytes: of all requests that are held at once.
        in_flight: requests at once.
        pause_s: a client that sends nothing for so long has gone.
        body_s: a body must be whole within this time.
        answer_s: a version must have answered within this time.
        hold_s: how long a request waits for a version whose processes are being restarted.
        copies: copies in flight at once, for each version that gets any.
    """

    body_bytes: int = 64 * _MIB
    buffered_bytes: int = 512 * _MIB
    in_flight: int = 256
    pause_s: float = 15.0
    body_s: float = 60.0
    answer_s: float = 60.0
    hold_s: float = 15.0
    copies: int = 4


class RefusedError(Exception):
    """A request that is not passed on.

    Args:
        status: of the answer.
        code: for programs.
        detail: for people, without anything of the request.
        retry_after_s: when to come again; None where that is no help.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.retry_after_s = status, code, detail, retry_after_s

    def response(self) -> web.Response:
        """The answer, as RFC 9457 has it."""
        body = {"type": "about:blank", "title": self.code.replace("-", " ").capitalize()}
        problem = {**body, "status": self.status, "code": self.code, "detail": self.detail}
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return web.json_response(
            problem, status=self.status, headers=headers, content_type="application/problem+json"
        )


class Admission:
    """Counts what is held, and refuses what would be too much.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def request(self) -> Iterator["Held"]:
        """Hold one request.

        Raises:
            RefusedError: there are too many.
        """
        if self._requests >= self.limits.in_flight:
            raise _busy()
        self._requests += 1
        held = Held(self)
        try:
            yield held
        finally:
            self._requests -= 1
            self._bytes -= held.bytes

    def grow(self, count: int) -> None:
        """Hold ``count`` more bytes."""
        if self._bytes + count > self.limits.buffered_bytes:
            raise _busy()
        self._bytes += count


class Held:
    """The bytes of one request that are held."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0

    async def body(self, request: web.Request) -> bytes:
        """The whole body of ``request``.

        Raises:
            RefusedError: it is too large, comes too slowly, or there is no room now.
        """
        limits = self._admission.limits
        self._reserve(request.content_length or 0)
        chunks, size = [], 0
        try:
            async with asyncio.timeout(limits.body_s):
                while chunk := await asyncio.wait_for(request.content.readany(), limits.pause_s):
                    size += len(chunk)
                    self._reserve(size - self.bytes)
                    chunks.append(chunk)
        except TimeoutError:
            raise RefusedError(408, "request-timeout", "The body of the request came too slowly.") from None
        return b"".join(chunks)

    def _reserve(self, count: int) -> None:
        if self.bytes + count > self._admission.limits.body_bytes:
            most = self._admission.limits.body_bytes
            raise RefusedError(413, "too-large", f"The body of a request has at most {most} bytes.")
        if count > 0:
            self._admission.grow(count)
            self.bytes += count


def _busy() -> RefusedError:
    return RefusedError(429, "busy", "The endpoint holds as many requests as it may.", retry_after_s=1)
