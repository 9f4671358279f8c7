"""Each request to a version by weight; again to another process if the first ends before it answers."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from isocenter.servers.router.answers import Scored, scores_in
from isocenter.servers.router.choice import WeightedChoice
from isocenter.servers.router.copies import Copies
from isocenter.servers.router.limits import Admission, Limits, RefusedError
from isocenter.servers.router.routes import Routes, read_routes
from isocenter.servers.router.tally import Tally
from isocenter.servers.router.upstream import Answer, BrokenError, Exchange, UnreachableError, Upstream

_MOST_SENDS = 2
"""A request whose image ends every process that reads it must not end them all."""
_PAUSE_S = 0.05
_HEALTH = frozenset(("/healthz", "/readyz"))


class Proxy:
    """The router's state: routes, the versions behind them, counts.

    Args:
        directory: the endpoint's, with the file of routes.
        limits: bounds.
    """

    def __init__(self, directory: Path, limits: Limits) -> None:
        self._directory = directory
        self._limits = limits
        self._admission = Admission(limits)
        self._upstreams: dict[str, Upstream] = {}
        self._copies = Copies(limits.copies)
        self._closing: set[asyncio.Task[None]] = set()
        self.routes = Routes()
        self.tallies: dict[str, Tally] = {}
        self._choice = WeightedChoice({})
        self.is_ending = False

    def load(self) -> Routes:
        """Take up the routes in the file. Requests under way end where they began."""
        routes = read_routes(self._directory)
        if routes == self.routes:
            return routes
        wanted = {route.key: route for route in routes.routes}
        for key in wanted.keys() - self._upstreams.keys():
            self._upstreams[key] = Upstream(wanted[key].socket, self._limits)
        self.routes, self._choice = routes, WeightedChoice(routes.weights)
        self.tallies = {key: Tally() for key in wanted}
        for key in self._upstreams.keys() - wanted.keys():
            task = asyncio.create_task(self._retire(key))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return routes

    def in_flight(self) -> dict[str, int]:
        """Key -> requests under way, for each version that is or was behind the endpoint."""
        return {key: upstream.in_flight for key, upstream in self._upstreams.items()}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            if not request.rel_url.raw_path_qs.startswith("/"):
                raise RefusedError(400, "malformed", "The target of a request is a path.")
            if _is_health_check(request):
                return await self._respond(request, b"")
            with self._admission.request() as held:
                # Written while its bytes are still held.
                return await self._respond(request, await held.body(request))
        except RefusedError as refused:
            return self._last_if_ending(refused.response())

    async def _respond(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        exchange = Exchange(request.method, request.rel_url.raw_path_qs, request.headers, body)
        answer = await self._answer(exchange)
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        self._last_if_ending(response)
        await response.prepare(request)
        await response.write_eof()
        return response

    def _last_if_ending(self, response: web.Response) -> web.Response:
        """Have the connection closed behind it when no more requests are taken."""
        if self.is_ending:
            response.force_close()
        return response

    async def close(self) -> None:
        """End copies and connections."""
        await self._copies.close()
        for upstream in self._upstreams.values():
            await upstream.close()

    async def _answer(self, exchange: Exchange) -> Answer:
        """The answer of some version: the chosen one's, or another's if that one can't be reached.

        Raises:
            RefusedError: none answers.
        """
        missed: dict[str, tuple[Tally, float]] = {}
        try:
            return await self._first_answer(exchange, missed)
        finally:
            # Whatever the caller got in the end: it was these versions' request, and they did not answer it.
            for tally, seconds in missed.values() if exchange.method == "POST" else ():
                tally.count(None, seconds, ())

    async def _first_answer(self, exchange: Exchange, missed: dict[str, tuple[Tally, float]]) -> Answer:
        """The first answer.

        Args:
            exchange: the request.
            missed: gets key -> where to count and after how long, of versions that could not be reached.
        """
        key, failed, sends = self._choice.next(), set[str](), 0
        began = time.monotonic()
        while key is not None and time.monotonic() - began < self._limits.hold_s:
            missed.pop(key, None)
            try:
                return await self._send(key, exchange)
            except BrokenError:
                sends += 1
                if sends >= _MOST_SENDS:
                    raise RefusedError(
                        502, "lost", "Two processes ended while they worked on this."
                    ) from None
            except UnreachableError:
                missed[key] = self.tallies.get(key, Tally()), time.monotonic() - began
            if self._choice.other({*failed, key}) is None:
                # The same version again: its dying processes may still take connections for a moment.
                failed.clear()
                await asyncio.sleep(_PAUSE_S)
            failed.add(key)
            key = self._choice.other(failed) or self._choice.next()
        raise RefusedError(503, "unavailable", "No version can be reached now.", retry_after_s=1)

    async def _send(self, key: str, exchange: Exchange) -> Answer:
        upstream, tally = self._upstreams.get(key), self.tallies.get(key, Tally())
        if upstream is None:
            raise UnreachableError
        compared, began = self.routes.compared_with(key), time.monotonic()
        try:
            answer = await upstream.send(exchange)
        except (BrokenError, TimeoutError) as error:
            tally.count(None, time.monotonic() - began, ())
            if isinstance(error, BrokenError):
                raise
            raise RefusedError(504, "deadline", "The version did not answer in time.") from None
        if exchange.method == "POST":
            scored = scores_in(answer.body)
            tally.count(answer.status, time.monotonic() - began, scored)
            for other in compared if scored else ():
                self._copy(exchange, key, other, scored)
        return answer

    def _copy(self, exchange: Exchange, answered: str, other: str, scored: Sequence[Scored]) -> None:
        """Have ``other`` score the same request; its answer is counted and compared, and goes nowhere."""
        is_shadow = other not in self.routes.weights
        tally, upstream = self.tallies.get(other if is_shadow else answered), self._upstreams.get(other)
        if tally is not None and upstream is not None:
            self._copies.start(other, upstream, exchange, scored, tally, is_counted=is_shadow)

    async def _retire(self, key: str) -> None:
        """Forget a version that was taken away, after its last request."""
        upstream = self._upstreams[key]
        while upstream.in_flight:
            await asyncio.sleep(_PAUSE_S)
        if key not in {route.key for route in self.routes.routes}:
            del self._upstreams[key]
            await upstream.close()


def _is_health_check(request: web.BaseRequest) -> bool:
    """Whether it says how things stand, also when there is no room for more requests."""
    return request.method == "GET" and request.path in _HEALTH and not request.body_exists
