"""What one endpoint takes at once, so that its memory stays bounded whatever comes."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from isocenter.domain.run import new_run_id

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of the router.

    Args:
        body_bytes: the largest request.
        buffered_bytes: of all requests that are held at once.
        in_flight: whole requests at once.
        incoming: requests at once whose bodies aren't whole.
        pause_s: a client that sends nothing for so long has gone; the head of a request must be whole in it.
        body_s: a body must be whole within this time.
        answer_s: a version must have answered within this time.
        hold_s: how long a request waits for a version whose processes are being restarted.
        copies: copies in flight at once, for each version that gets any.
    """

    body_bytes: int = 64 * _MIB
    buffered_bytes: int = 512 * _MIB
    in_flight: int = 256
    incoming: int = 512
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

    MEDIA_TYPE: ClassVar[str] = "application/problem+json"

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.retry_after_s = status, code, detail, retry_after_s
        self.title, self.request_id = HTTPStatus(status).phrase, str(new_run_id())

    def body(self) -> bytes:
        """The answer's body, as RFC 9457 and the serving app have it."""
        problem = {"type": "about:blank", "title": self.title, "status": self.status, "code": self.code}
        return json.dumps({**problem, "detail": self.detail, "request_id": self.request_id}).encode()

    def response(self) -> web.Response:
        """The answer."""
        headers = {"X-Request-Id": self.request_id}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return web.Response(
            body=self.body(), status=self.status, headers=headers, content_type=self.MEDIA_TYPE
        )


class Admission:
    """Counts what is held, and refuses what would be too much.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._whole = 0
        self._incoming = 0
        self._bytes = 0

    @contextmanager
    def request(self) -> Iterator["Held"]:
        """Hold one request.

        Raises:
            RefusedError: there are too many.
        """
        if self._whole >= self.limits.in_flight or self._incoming >= self.limits.incoming:
            raise _busy()
        self._incoming += 1
        held = Held(self)
        try:
            yield held
        finally:
            self._whole -= held.is_whole
            self._incoming -= not held.is_whole
            self._bytes -= held.bytes

    def grow(self, count: int) -> None:
        """Hold ``count`` more bytes."""
        if self._bytes + count > self.limits.buffered_bytes:
            raise _busy()
        self._bytes += count

    def complete(self) -> None:
        """One of those that were incoming is whole."""
        if self._whole >= self.limits.in_flight:
            raise _busy()
        self._incoming -= 1
        self._whole += 1


class Held:
    """The bytes of one request that are held."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0
        self.is_whole = False

    async def body(self, request: web.BaseRequest) -> bytes:
        """The whole body of ``request``.

        Only what has come counts as held: a length that is announced costs nothing.

        Raises:
            RefusedError: it is too large, comes too slowly, can't be read, or there is no room now.
        """
        limits = self._admission.limits
        self._require_size(request.content_length or 0)
        await _go_on(request)
        chunks = []
        try:
            async with asyncio.timeout(limits.body_s):
                while chunk := await asyncio.wait_for(request.content.readany(), limits.pause_s):
                    self._require_size(self.bytes + len(chunk))
                    self._admission.grow(len(chunk))
                    self.bytes += len(chunk)
                    chunks.append(chunk)
        except TimeoutError:
            raise RefusedError(408, "request-timeout", "The body of the request came too slowly.") from None
        except (web.RequestPayloadError, HttpProcessingError):
            raise RefusedError(400, "malformed", "The body of the request can't be read.") from None
        self._admission.complete()
        self.is_whole = True
        return b"".join(chunks)

    def _require_size(self, size: int) -> None:
        most = self._admission.limits.body_bytes
        if size > most:
            raise RefusedError(413, "too-large", f"The body of a request has at most {most} bytes.")


async def _go_on(request: web.BaseRequest) -> None:
    """Tell a client that waits for a word before it sends the body."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # of the answer itself nothing is out yet


def _busy() -> RefusedError:
    return RefusedError(429, "busy", "The endpoint holds as many requests as it may.", retry_after_s=1)
