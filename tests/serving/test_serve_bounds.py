"""Too much, too slow, too late: what a caller sees, and that memory stays bounded."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pydicom
import pytest
from serving_program import DICOM, Program, running

MEBI = 1 << 20
LARGEST = 8


@pytest.fixture(scope="module")
def program(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Of tight bounds."""
    log = tmp_path_factory.mktemp("bounds") / "log"
    options = ("--workers", 1, "--queue", 3, "--body-mib", LARGEST, "--held-mib", 2 * LARGEST)
    with running(log, registered, *options, "--pause-s", 1, "--body-s", 3) as started:
        yield started


@pytest.fixture(scope="module")
def large(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file that takes a while to decode."""
    image = pydicom.dcmread(files[0])
    image.PixelData = np.resize(image.pixel_array, (1900, 2000)).astype(np.uint16).tobytes()
    image.Rows, image.Columns = 1900, 2000
    path = tmp_path_factory.mktemp("large") / "large.dcm"
    image.save_as(path)
    return path.read_bytes()


def memory(program: Program) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in program.workers())


def connect(program: Program) -> socket.socket:
    return socket.create_connection(("127.0.0.1", program.port), timeout=30)


def head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/predict HTTP/1.1", "Host: x", "Content-Type: application/dicom", *more]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_of_500_mb_is_refused_and_not_held(program: Program, declared: bool) -> None:
    before = memory(program)
    chunk = bytes(MEBI)
    headers = {**DICOM, **({"Content-Length": str(500 * MEBI)} if declared else {})}
    with program.client() as client:
        answer = client.post("/v1/predict", content=itertools.repeat(chunk, 500), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        assert client.get("/readyz").status_code == 200
    assert memory(program) - before < 4 * LARGEST * MEBI


def test_a_client_that_pauses_is_given_up(program: Program) -> None:
    with connect(program) as connection:
        connection.sendall(head(1000) + b"half")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"slow-body" in answer


def test_a_client_that_drips_is_given_up(program: Program) -> None:
    with connect(program) as connection:
        connection.sendall(head(1000))
        connection.settimeout(0.3)
        answer = b""
        for _ in range(60):
            connection.sendall(b"x")
            try:
                answer = connection.recv(65536)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_half_a_head_is_closed(program: Program) -> None:
    with connect(program) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-Half: ")
        assert read_all(connection) == b""


def test_a_connection_that_says_nothing_is_closed(program: Program) -> None:
    with connect(program) as connection:
        assert read_all(connection) == b""


def test_an_endless_head_is_refused(program: Program) -> None:
    answer = b""
    with connect(program) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n")
        try:
            for number in range(100_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))
            answer = read_all(connection)
        except OSError:
            answer = b"closed"
    assert answer.startswith(b"HTTP/1.1 400") or answer == b"closed"


def test_no_http_is_refused(program: Program) -> None:
    with connect(program) as connection:
        connection.sendall(b"\x16\x03\x01CANARY\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"CANARY" not in answer + program.log_path.read_bytes()


def test_a_client_that_leaves_in_the_middle_harms_nobody(program: Program, files: list[Path]) -> None:
    for _ in range(20):
        with connect(program) as connection:
            connection.sendall(head(MEBI) + bytes(1000))
    assert program.predict(files[0].read_bytes()).status_code == 200


def test_a_full_queue_says_when_to_come_again(program: Program, large: bytes) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: program.predict(large), range(32)))
    found = {answer.status_code for answer in answers}
    assert found == {200, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["code"] for answer in refused} <= {"queue-full", "busy"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    scores = {answer.json()["score"] for answer in answers if answer.status_code == 200}
    assert len(scores) == 1


def test_an_answer_that_comes_too_late_is_not_waited_for(program: Program, large: bytes) -> None:
    late = program.predict(large, **{"X-Deadline-Milliseconds": "1"})
    assert (late.status_code, late.json()["code"]) == (504, "deadline")
    assert program.predict(large).status_code == 200


def test_many_slow_bodies_do_not_take_the_places_of_quick_ones(program: Program, files: list[Path]) -> None:
    connections = [connect(program) for _ in range(50)]
    try:
        for connection in connections:
            connection.sendall(head(MEBI) + b"x")
        assert program.predict(files[0].read_bytes()).status_code == 200
    finally:
        for connection in connections:
            connection.close()


def test_bytes_held_are_bounded(program: Program) -> None:
    """Bodies that are all under way at once: those beyond the bound are refused, not swapped."""
    half = head(6 * MEBI) + bytes(5 * MEBI)
    answers: list[bytes] = []

    def send() -> None:
        with connect(program) as connection:
            try:
                connection.sendall(half)
                answers.append(connection.recv(65536))
            except OSError:
                answers.append(b"closed")

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = {answer.split(b" ")[1] for answer in answers if b" " in answer}
    assert b"429" in codes
    assert codes <= {b"429", b"408"}
    assert b"Retry-After" in next(a for a in answers if b"429" in a).title()


def test_json_that_would_grow_in_memory_is_refused(program: Program) -> None:
    body = b'{"instances":[{"pixels":[[' + b"0," * (3 * MEBI) + b"0]]}]}"
    with program.client() as client:
        answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-values")


def test_arrays_of_many_requests_at_once_take_the_memory_of_one(registered: Path, tmp_path: Path) -> None:
    """Eight bodies of 1.9 million numbers each, which as lists of Python would be 60 MB a body."""
    row = "[" + ",".join(["0.5"] * 1400) + "]"
    body = b'{"instances":[{"pixels":[' + ",".join([row] * 1400).encode() + b"]}]}"

    def post(program: Program) -> int:
        with program.client() as client:
            kind = {"Content-Type": "application/json"}
            return client.post("/v1/predict", content=body, headers=kind).status_code

    with running(tmp_path / "log", registered, "--workers", 1) as program, ThreadPoolExecutor(8) as pool:
        assert post(program) == 200
        alone = peak(program)
        assert set(pool.map(post, [program] * 8)) == {200}
        assert peak(program) < alone + 300 * MEBI


WRONG = {
    "pixels": b'{"instances":[{"pixels":[[' + b",".join([b"2"] * 1_900_000) + b"]]}]}",
    "empty": b'{"instances":[' + b",".join([b"{}"] * 900_000) + b"]}",
    "keys": b'{"instances":[{' + b",".join(b'"%d":1' % key for key in range(900_000)) + b"}]}",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_a_body_of_faults_takes_no_more_memory_than_a_good_one(
    registered: Path, tmp_path: Path, body: bytes
) -> None:
    with running(tmp_path / "log", registered, "--workers", 1) as program, program.client() as client:
        before = peak(program)
        answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 413)
        assert peak(program) < before + 500 * MEBI


def peak(program: Program) -> int:
    """The most bytes that the worker ever had in memory."""
    (worker,) = program.workers()
    status = Path(f"/proc/{worker}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_several_requests_on_one_connection(program: Program, files: list[Path]) -> None:
    data = files[0].read_bytes()
    with connect(program) as connection:
        connection.sendall((head(len(data)) + data) * 3)
        found = b""
        deadline = time.monotonic() + 20
        while found.count(b"request_id") < 3 and time.monotonic() < deadline:
            found += connection.recv(65536)
    assert found.count(b"HTTP/1.1 200") == 3


def test_nothing_of_all_this_was_a_defect(program: Program) -> None:
    lines = program.log()
    assert not [line for line in lines if line["level"] in ("error", "critical")], json.dumps(lines)
    with program.client() as client, pytest.raises(httpx.HTTPStatusError):
        client.get("/metrics").raise_for_status()
