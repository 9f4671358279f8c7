"""One version's processes, as the router sees them: a Unix socket that several workers answer at."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from isocenter.servers.router.limits import Limits

_CONNECTIONS = 128
# RFC 9110, 7.6.1: what is said to the next hop only. The length is told anew, since bodies are held whole.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
) | {"content-length", "expect"}
COPY_HEADER = "X-Isocenter-Copy"


class UnreachableError(Exception):
    """Nobody takes connections at the socket: nothing was sent."""


class BrokenError(Exception):
    """The connection broke before the answer was whole: its process has ended."""


@dataclass(frozen=True)
class Exchange:
    """A request that is held whole, so that it can be sent more than once.

    Args:
        method: e.g. POST.
        path: with the query, as it came.
        headers: as they came; the token among them is passed on untouched.
        body: all of it.
    """

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer that is held whole."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Upstream:
    """Sends requests to one version.

    Args:
        socket: path of its Unix socket.
        limits: the answer's time limit.
    """

    def __init__(self, socket: str, limits: Limits) -> None:
        self.in_flight = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(socket, limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=limits.answer_s, sock_connect=limits.hold_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def send(self, exchange: Exchange, *, copy: bool = False) -> Answer:
        """The version's answer.

        Raises:
            UnreachableError: nothing was sent; another try does no harm.
            BrokenError: it ended before it had answered.
            TimeoutError: it takes too long.
        """
        self.in_flight += 1
        try:
            async with self._session.request(
                exchange.method,
                # The host is only for the header, which is passed on as it came.
                URL(f"http://endpoint{exchange.path}", encoded=True),
                headers=_passed(exchange.headers, copy=copy),
                data=exchange.body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as response:
                body = await response.read()
                return Answer(response.status, _returned(response.headers), body)
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError from error
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenError from error
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()


def _passed(headers: Mapping[str, str], *, copy: bool) -> CIMultiDict[str]:
    kept = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _HOP and name.lower() != COPY_HEADER.lower()
    )
    if copy:
        kept[COPY_HEADER] = "1"
    return kept


def _returned(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP)
