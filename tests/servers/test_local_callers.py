"""What a local endpoint does with callers that send what is no request, half of one, or nothing at all."""

import gzip
import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from isocenter.domain.rollout import Endpoint, EndpointState, InstanceSize, Rollout
from isocenter.domain.run import new_run_id
from isocenter.home import Home
from isocenter.servers import Server, load_server

sys.path.insert(0, str(Path(__file__).parent))
from local_endpoints import STAND_IN, end_all, files_of, post, processes, supervisor_of, variant, wait_for
from server_contract import NAME, settle

SETTINGS = {"serving_entry_point": [sys.executable, str(STAND_IN)], "stop_grace_s": 20, "ready_s": 60}
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
UNREADABLE = {
    "header too long": POST + b"X: " + b"CANARY" * 20_000 + b"\r\n\r\n",
    "address too long": b"GET /" + b"CANARY" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "head too long": POST + b"".join(b"X%d: %s\r\n" % (i, b"CANARY" * 500) for i in range(100)),
    "no header": POST + b"CANARY CANARY\r\n\r\n",
    "no method": b"CANARY / \r\n\r\n",
    "NUL": POST + b"X: CANARY\0\r\n\r\n",
    "no length": POST + b"Content-Length: CANARY\r\n\r\n",
    "no chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nCANARY\r\nabc",
    "no path": b"CONNECT canary:443 HTTP/1.1\r\nHost: CANARY\r\n\r\n",
}


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    yield load_server("local", home, SETTINGS)
    end_all(home)


def serve(server: Server, folder: Path, **behaviour: object) -> Endpoint:
    rollout = Rollout(
        new_run_id(), NAME, "local", (variant(folder, 1, **behaviour),), size=InstanceSize(cpus=1)
    )
    endpoint = settle(server, server.plan(rollout))
    assert endpoint.state is EndpointState.READY
    return endpoint


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(endpoint.url.rpartition(":")[2])), timeout=60) as client:
        yield client


def answer(client: socket.socket) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, header fields and JSON of the answer that comes."""
    stream = client.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip().decode("latin-1"):
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return status, headers, json.loads(stream.read(int(headers["content-length"])))


def test_what_can_not_be_read_is_neither_repeated_nor_logged(
    home: Home, server: Server, tmp_path: Path
) -> None:
    endpoint = serve(server, tmp_path)
    log = files_of(home).supervisor_log
    before = log.read_bytes()
    for what, sent in UNREADABLE.items():
        with connected(endpoint) as client:
            with suppress(OSError):  # it may have refused before all is sent
                client.sendall(sent)
            status, headers, body = answer(client)
        assert (status, headers["content-type"]) == (400, "application/problem+json"), what
        assert (body["status"], body["code"]) == (400, "malformed"), what
        assert body["request_id"], what
        assert "CANARY" not in json.dumps([headers, body]), what
    with connected(endpoint) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        time.sleep(0.2)
        client.sendall(b"CANARY\r\n")
        assert answer(client)[0] == 400, "a body that breaks in the middle"
    assert post(endpoint)[0] == 200
    assert log.read_bytes() == before


def test_the_logs_are_bounded_and_nobody_elses(home: Home, server: Server, tmp_path: Path) -> None:
    serve(server, tmp_path)
    files = files_of(home)
    logs = [files.supervisor_log, *files.directory.glob("groups/*/log")]
    assert [log.stat().st_mode & 0o777 for log in logs] == [0o600, 0o600]
    with files.supervisor_log.open("ab") as stream:
        stream.write(b"said\n" * (4 << 20))
    wait_for(lambda: files.supervisor_log.stat().st_size < 1000)
    older = files.supervisor_log.with_name("supervisor.log.1")
    assert older.stat().st_size > 16 << 20
    assert older.stat().st_mode & 0o777 == 0o600


def test_an_encoded_body_is_passed_on_as_it_came(server: Server, tmp_path: Path) -> None:
    endpoint = serve(server, tmp_path)
    for body in (gzip.compress(b"image"), b"no gzip"):
        status, said = post(endpoint, body, Content_Encoding="gzip")
        assert (status, said["sha256"]) == (200, hashlib.sha256(body).hexdigest())


def test_a_token_of_the_size_that_the_serving_app_takes_is_passed_on(server: Server, tmp_path: Path) -> None:
    token = "Bearer " + "t" * 16 * 1024
    assert post(serve(server, tmp_path), Authorization=token)[1]["authorization"] == token


def test_lengths_that_are_announced_keep_nobody_out(server: Server, tmp_path: Path) -> None:
    endpoint = serve(server, tmp_path)
    with ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(connected(endpoint))
            client.sendall(POST + b"Content-Length: 67108864\r\n\r\n" + b"x")
        time.sleep(0.5)
        assert post(endpoint)[0] == 200
        with connected(endpoint) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(client)[0] == 200


@pytest.mark.parametrize("role", ["router", "supervisor"])
def test_uploads_that_sigterm_finds_under_way_are_answered(
    home: Home, server: Server, tmp_path: Path, role: str
) -> None:
    endpoint = serve(server, tmp_path, delay_s=0.5)
    (router,) = processes(home, "router")
    body = b"x" * 3_000_000
    head = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    with ExitStack() as stack:
        idle, half_head, half, whole = (stack.enter_context(connected(endpoint)) for _ in range(4))
        idle.sendall(head + body)
        assert answer(idle)[0] == 200
        half_head.sendall(head[:20])
        half.sendall(head + body[:1_000_000])
        time.sleep(0.3)
        whole.sendall(head + body)
        os.kill(router if role == "router" else supervisor_of(home), signal.SIGTERM)
        assert idle.recv(1) == b"", "a connection without a request is closed"
        status, headers, said = answer(whole)
        assert (status, said["bytes"], headers["connection"]) == (200, len(body), "close")
        half.sendall(body[1_000_000:])
        half_head.sendall(head[20:] + body)
        for client in (half, half_head):
            status, _, said = answer(client)
            assert (status, said["bytes"]) == (200, len(body))
    if role == "router":
        wait_for(lambda: processes(home, "router") not in ([], [router]))
        assert post(endpoint)[0] == 200
    else:
        wait_for(lambda: server.describe(NAME).state is EndpointState.STOPPED)
        with pytest.raises(ConnectionRefusedError):
            post(endpoint)
