"""What the router answers when a version, a client or the room for requests fails."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from isocenter.servers.router.answers import scores_in
from isocenter.servers.router.choice import WeightedChoice
from isocenter.servers.router.connection import FrontServer
from isocenter.servers.router.limits import Limits
from isocenter.servers.router.proxy import Proxy

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"score": 0.5}'


@asynccontextmanager
async def routed(folder: Path, peers: dict[str, tuple[int, Peer | None]], limits: Limits) -> Any:
    """A router at a port, before peers that do what they like with a connection."""
    routes, servers = [], []
    talks: set[asyncio.Task[None]] = set()

    def tracked(peer: Peer) -> Peer:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            talks.add(task)
            try:
                await peer(reader, writer)
            except (asyncio.CancelledError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        return talk

    for key, (weight, peer) in peers.items():
        routes.append(
            {"key": key, "reference": key, "socket": f"{key}.sock", "weight": weight, "shadow": weight == 0}
        )
        if peer is not None:
            servers.append(await asyncio.start_unix_server(tracked(peer), f"{key}.sock"))
    (folder / "routes.json").write_text(json.dumps({"rollout": "1", "routes": routes}))
    proxy = Proxy(folder, limits)
    proxy.load()
    runner = web.ServerRunner(FrontServer(proxy.handle, limits), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield session, proxy, runner.addresses[0][1]
    finally:
        await runner.cleanup()
        await proxy.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        for server in servers:
            server.close()
            await server.wait_closed()


def peer(answer: bytes | None, seen: list[bytes] | None = None, pause_s: float = 0) -> Peer:
    """Reads one request, then writes ``answer`` and closes; None closes without a word."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        await asyncio.sleep(pause_s)
        if answer is not None:
            writer.write(answer)
            await writer.drain()

    return talk


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(
    folder: Path,
    peers: dict[str, tuple[int, Peer | None]],
    ask: Callable[[aiohttp.ClientSession, Proxy, int], Awaitable[None]],
    limits: Limits | None = None,
) -> None:
    async def all_of_it() -> None:
        async with routed(folder, peers, limits or Limits()) as (session, proxy, port):
            await ask(session, proxy, port)

    asyncio.run(all_of_it())


async def refusal(response: aiohttp.ClientResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    body = json.loads(await response.read())
    assert body["status"] == response.status
    assert body["request_id"] == response.headers["X-Request-Id"]
    return response.status, body["code"]


def test_a_request_that_ends_every_process_is_sent_twice_and_no_more(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        async with session.post("/predict", data=b"x") as response:
            assert await refusal(response) == (502, "lost")

    run(tmp_path, {"a": (100, peer(None, seen))}, ask)
    assert len(seen) == 2


def test_half_an_answer_is_asked_for_again(tmp_path: Path) -> None:
    answers = iter([GOOD[:-3], GOOD])

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(next(answers))(reader, writer)

    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        async with session.post("/predict", data=b"x") as response:
            assert (response.status, await response.json()) == (200, {"score": 0.5})

    run(tmp_path, {"a": (100, talk)}, ask)


def test_a_version_that_is_not_there_is_stood_in_for_by_the_other(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        for _ in range(10):
            async with session.post("/predict", data=b"x") as response:
                assert response.status == 200
        counted = {key: tally.as_json() for key, tally in proxy.tallies.items()}
        assert {key: (each["requests"], each["errors"]) for key, each in counted.items()} == {
            "a": (5, 5),
            "b": (10, 0),
        }

    run(tmp_path, {"a": (50, None), "b": (50, peer(GOOD))}, ask)


def test_nobody_there(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        async with session.post("/predict", data=b"x") as response:
            assert await refusal(response) == (503, "unavailable")
            assert response.headers["Retry-After"] == "1"
        assert proxy.tallies["a"].as_json()["errors"] == 1
        async with session.get("/readyz") as response:
            assert response.status == 503
        assert proxy.tallies["a"].as_json()["requests"] == 1, "a GET is no prediction"

    run(tmp_path, {"a": (100, None)}, ask, Limits(hold_s=0.2))


def test_a_version_that_does_not_answer_in_time(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        async with session.post("/predict", data=b"x") as response:
            assert await refusal(response) == (504, "deadline")
        assert proxy.tallies["a"].as_json()["errors"] == 1

    run(tmp_path, {"a": (100, peer(GOOD, pause_s=5))}, ask, Limits(answer_s=0.2))


@pytest.mark.parametrize("status", [400, 401, 403, 408, 413, 415, 422, 429])
def test_an_answer_that_refuses_the_caller_says_nothing_about_the_version(
    tmp_path: Path, status: int
) -> None:
    refused = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status

    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        async with session.post("/predict", data=b"x") as response:
            assert response.status == status
        counted = proxy.tallies["a"].as_json()
        assert (counted["requests"], counted["errors"], counted["p99_s"]) == (0, 0, None)

    run(tmp_path, {"a": (100, peer(refused))}, ask)


def test_a_client_that_sends_slowly(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()

    run(tmp_path, {"a": (100, peer(GOOD))}, ask, Limits(pause_s=0.2))


def test_a_head_that_comes_slowly_and_a_connection_without_one(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in (b"POST /pre", b"dict HTTP/1.1\r\n", b"Host: x\r\n"):
            writer.write(part)
            await asyncio.sleep(0.02)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408")
        assert json.loads(body)["code"] == "request-timeout"
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        async with session.post("/predict", data=b"x") as response:
            assert response.status == 200

    run(tmp_path, {"a": (100, peer(GOOD))}, ask, Limits(pause_s=0.3))


def test_how_it_stands_is_said_when_there_is_no_room(tmp_path: Path) -> None:
    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.sleep(0.1)
        async with session.post("/predict", data=b"x") as response:
            assert await refusal(response) == (429, "busy")
        async with session.get("/healthz") as response:
            assert response.status == 200
        writer.close()

    run(tmp_path, {"a": (100, peer(GOOD))}, ask, Limits(incoming=1))


@pytest.mark.parametrize("limits", [Limits(in_flight=1), Limits(buffered_bytes=1500)])
def test_more_than_may_be_held_at_once(tmp_path: Path, limits: Limits) -> None:
    released = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await peer(GOOD)(reader, writer)

    async def post(session: aiohttp.ClientSession) -> int:
        async with session.post("/predict", data=b"x" * 1000) as response:
            return response.status

    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        first = asyncio.create_task(post(session))
        while not proxy.in_flight()["a"]:
            await asyncio.sleep(0.01)
        async with session.post("/predict", data=b"x" * 1000) as response:
            assert await refusal(response) == (429, "busy")
            assert response.headers["Retry-After"] == "1"
        released.set()
        assert await first == 200
        assert await post(session) == 200, "what was held is let go"

    run(tmp_path, {"a": (100, talk)}, ask, limits)


def test_what_is_for_the_next_hop_only_is_not_passed_on(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def ask(session: aiohttp.ClientSession, proxy: Proxy, port: int) -> None:
        headers = {
            "Authorization": "Bearer abc",
            "X-Isocenter-Copy": "1",
            "TE": "trailers",
            "Traceparent": "00-1-2-01",
            "Host": "chest.hospital",
        }
        async with session.post(URL("/predict?a=%2Fb", encoded=True), data=b"x", headers=headers) as response:
            assert response.status == 200

    run(tmp_path, {"a": (100, peer(GOOD, seen))}, ask)
    (head,) = seen
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /predict?a=%2fb http/1.1"
    assert {"authorization: bearer abc", "traceparent: 00-1-2-01", "host: chest.hospital"} <= set(lines)
    assert not [line for line in lines if line.startswith(("te:", "x-isocenter-copy"))]


def test_of_any_hundred_in_a_row_each_gets_its_share() -> None:
    choice = WeightedChoice({"a": 90, "b": 7, "c": 3})
    drawn = [choice.next() for _ in range(250)]
    for start in (0, 37, 150):
        part = drawn[start : start + 100]
        assert [part.count(key) for key in "abc"] == [90, 7, 3]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"score": 0.5, "decision": "normal"}, [(0.5, False)]),
        ({"decision": "abstained", "score": None}, [(None, True)]),
        (
            {"predictions": [{"score": 1}, {"score": 0.25, "decision": "abstained"}]},
            [(1.0, False), (0.25, True)],
        ),
        (
            {
                "outputs": [
                    {"name": "score", "data": [0.1, 0.2]},
                    {"name": "decision", "data": ["a", "abstained"]},
                ]
            },
            [(0.1, False), (0.2, True)],
        ),
        ([{"score": 0.5}], [(0.5, False)]),
        ({"status": 400, "title": "x"}, []),
        ("text", []),
    ],
)
def test_scores_are_found_in_each_contracts_answer(body: Any, found: list[tuple[float | None, bool]]) -> None:
    assert [(each.score, each.abstained) for each in scores_in(json.dumps(body).encode())] == found


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"score": "NaN"'])
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert list(scores_in(body)) == []
