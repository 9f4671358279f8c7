"""The serving program's processes: started by hand or as a cloud does, killed, drained, measured."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from serving_program import ACCESS, DICOM, Program, arguments, free_port, running

from isocenter.domain.digest import digest_tree


def ended(
    bundle: Path | None, *options: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "ISOCENTER_SERVING_ACCESS": ACCESS, **(environment or {})}
    return subprocess.run(
        arguments(bundle, free_port(), *options),
        capture_output=True, text=True, check=False, timeout=60, env=variables,
    )  # fmt: skip


class Load:
    """Clients that ask one after the other until told to stop; what they saw."""

    def __init__(self, program: Program, body: bytes, clients: int = 4) -> None:
        self.statuses: list[int] = []
        self.scores: set[float] = set()
        self.broken = 0
        self._program, self._body, self._stop = program, body, threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with self._program.client() as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/v1/predict", content=self._body, headers=DICOM)
                except httpx.TransportError:
                    self.broken += 1
                    time.sleep(0.02)
                    continue
                self.statuses.append(answer.status_code)
                if answer.status_code == 200:
                    self.scores.add(answer.json()["score"])


def wait_for(condition: "object", seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sigterm_answers_what_is_under_way(registered: Path, files: list[Path], tmp_path: Path) -> None:
    body = files[0].read_bytes()
    with running(tmp_path / "log", registered, "--workers", 2) as program:
        # A request whose body is half there when the signal comes is still answered.
        head = "POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", program.port), timeout=30) as connection:
            connection.sendall(head.encode() + body[:1000])
            time.sleep(0.3)
            program.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(body[1000:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        assert program.process.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            program.predict(body)


def test_sigterm_under_load_gives_no_wrong_answer(
    registered: Path, files: list[Path], tmp_path: Path
) -> None:
    with running(tmp_path / "log", registered, "--workers", 2) as program:
        with Load(program, files[0].read_bytes()) as load:
            wait_for(lambda: len(load.statuses) > 50)
            assert program.stop() == 0
        assert set(load.statuses) == {200}
        assert len(load.scores) == 1


def test_a_killed_worker_is_replaced(registered: Path, files: list[Path], tmp_path: Path) -> None:
    with running(tmp_path / "log", registered, "--workers", 2) as program:
        with Load(program, files[0].read_bytes()) as load:
            for _ in range(3):
                before = len(load.statuses)
                victim = program.workers()[0]
                os.kill(victim, signal.SIGKILL)
                wait_for(lambda v=victim: v not in program.workers() and len(program.workers()) == 2)
                wait_for(lambda b=before: len(load.statuses) > b + 20)
        assert set(load.statuses) == {200}
        assert len(load.scores) == 1
        assert load.broken <= 3 * 4  # each of four clients, at each kill
        ready = [line for line in program.log() if line["message"] == "ready"]
        assert len(ready) >= 4


def test_workers_end_with_a_killed_master(registered: Path, tmp_path: Path) -> None:
    with running(tmp_path / "log", registered, "--workers", 2) as program:
        wait_for(lambda: len(program.workers()) == 2)
        workers = program.workers()
        program.process.kill()
        program.process.wait()
        wait_for(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()])


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path)) == 0


def test_a_unix_socket_even_where_one_was_left(registered: Path, files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "serve.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    variables = {**os.environ, "ISOCENTER_SERVING_ACCESS": ACCESS}
    process = subprocess.Popen(
        arguments(registered, None, "--socket", "serve.sock"),
        cwd=tmp_path, env=variables, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or listens(path))
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://x") as client:
            answer = client.post("/v1/predict", content=files[0].read_bytes(), headers=DICOM)
            assert answer.status_code == 200
        assert path.stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not path.exists()


@pytest.mark.parametrize(
    "name",
    ["models/model.onnx", "configs/preprocessing.json", "configs/decision.json", "reference_profile.json"],
)
def test_one_flipped_byte_and_it_does_not_start(bundle: Path, name: str) -> None:
    digest, path = digest_tree(bundle), bundle / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = ended(bundle, "--digest", digest)
    assert done.returncode == 6
    assert "files changed" in done.stderr


def test_it_does_not_start_as_an_open_door(registered: Path) -> None:
    for access in ("", "none", "fronted:", "fronted:nobody", "{}", '{"issuer": "https://a"}'):
        done = ended(registered, environment={"ISOCENTER_SERVING_ACCESS": access})
        assert done.returncode == 3, access
        assert "access" in done.stderr


def test_a_token_is_asked_for(registered: Path, files: list[Path], tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    access = {"issuer": "https://issuer.example", "audience": "chest", "jwks_file": str(keys)}
    environment = {"ISOCENTER_SERVING_ACCESS": json.dumps(access)}
    with running(tmp_path / "log", registered, environment=environment) as program:
        answer = program.predict(files[0].read_bytes())
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        with program.client() as client:
            assert client.get("/metrics").status_code == 401
            assert client.get("/v1/model").status_code == 401
            assert client.get("/v2/models/model").status_code == 401
            assert client.get("/ping").status_code == 200


def instances(path: Path) -> dict[str, object]:
    return {"instances": [{"b64": base64.b64encode(path.read_bytes()).decode()}]}


def test_as_sagemaker_starts_it(registered: Path, files: list[Path], tmp_path: Path) -> None:
    shutil.copytree(registered, tmp_path / "ml" / "model")
    port = free_port()
    environment = {"ISOCENTER_SAGEMAKER_ROOT": str(tmp_path / "ml"), "SAGEMAKER_BIND_TO_PORT": str(port)}
    with (
        running(tmp_path / "log", None, environment=environment, port=port, names_port=False) as program,
        program.client() as client,
    ):
        assert client.get("/ping").status_code == 200
        answer = client.post("/invocations", content=files[0].read_bytes(), headers=DICOM)
        assert answer.status_code == 200


@pytest.mark.parametrize("accept", ["image/png", "application/dicom", "Application/DICOM; kind=sc"])
def test_where_sagemaker_keeps_answers_no_file_is_given(
    registered: Path, files: list[Path], tmp_path: Path, accept: str
) -> None:
    root = tmp_path / "ml"
    root.mkdir()
    (root / "model").symlink_to(registered)
    environment = {"ISOCENTER_SAGEMAKER_ROOT": str(root), "ISOCENTER_SERVING_ANSWERS": "json"}
    body = files[0].read_bytes()
    with running(tmp_path / "log", None, environment=environment) as program, program.client() as client:
        refused = client.post("/invocations", content=body, headers={**DICOM, "Accept": accept})
        assert (refused.status_code, refused.json()["code"]) == (406, "json-only")
        assert refused.headers["Content-Type"] == "application/problem+json"
        for route in ("/v1/explain", "/v1/results", "/v1/results?kind=sc"):
            assert client.post(route, content=body, headers=DICOM).status_code == 406
        scored = client.post("/invocations", content=body, headers={**DICOM, "Accept": "application/json"})
        assert (scored.status_code, set(scored.json()) >= {"score", "decision"}) == (200, True)


def test_as_vertex_starts_it(registered: Path, files: list[Path], tmp_path: Path) -> None:
    """The model comes from a URI; Vertex AI's is gs://, and file:// goes the same way."""
    port = free_port()
    environment = {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/8",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/8:predict",
        "AIP_STORAGE_URI": f"file://{registered}",
        "ISOCENTER_SERVING_ACCESS": "fronted:vertex",
        "ISOCENTER_SERVING_DIGEST": digest_tree(registered),
        "ISOCENTER_SERVING_NAME": "cxr",
    }
    with (
        running(tmp_path / "log", None, environment=environment, port=port, names_port=False) as program,
        program.client() as client,
    ):
        assert client.get(environment["AIP_HEALTH_ROUTE"]).status_code == 200
        answer = client.post(environment["AIP_PREDICT_ROUTE"], json=instances(files[0])).json()
        assert answer["predictions"][0]["model"] == "cxr"
    undigested = ended(None, environment=environment | {"ISOCENTER_SERVING_DIGEST": ""})
    assert undigested.returncode != 0
    assert "digest" in undigested.stderr


def test_as_azureml_starts_it(registered: Path, files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "azureml-models" / "cxr" / "3"
    shutil.copytree(registered, folder / "bundle")
    environment = {"AZUREML_MODEL_DIR": str(folder), "ISOCENTER_SERVING_ACCESS": "fronted:azureml"}
    with running(tmp_path / "log", None, environment=environment) as program, program.client() as client:
        assert client.get("/azureml/live").status_code == 200
        assert client.get("/azureml/ready").status_code == 200
        assert len(client.post("/score", json=instances(files[0])).json()["predictions"]) == 1
    shutil.copytree(registered, folder / "another")
    done = ended(None, environment=environment)
    assert done.returncode == 3
    assert "more than one" in done.stderr


def test_metrics_are_of_all_processes(registered: Path, files: list[Path], tmp_path: Path) -> None:
    admin = free_port()
    options = ("--workers", 2, "--admin-port", admin, "--name", "cxr", "--number", 3)
    with running(tmp_path / "log", registered, *options) as program:
        for number in range(40):
            body = b"no DICOM" if number % 4 == 0 else files[number % 8].read_bytes()
            program.predict(body)
        with program.client() as client:
            assert client.get("/metrics").status_code == 403
        text = httpx.get(f"http://127.0.0.1:{admin}/metrics").text
        os.kill(program.workers()[0], signal.SIGKILL)
        wait_for(lambda: len([line for line in program.log() if line["message"] == "ready"]) == 3)
        later = httpx.get(f"http://127.0.0.1:{admin}/metrics").text
    answered = {line["process"] for line in program.log() if line.get("route") == "/v1/predict"}
    assert len(answered) == 2
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert found['isocenter_serving_requests_total{route="/v1/predict",status="200"}'] == "30.0"
    assert found['isocenter_serving_requests_total{route="/v1/predict",status="422"}'] == "10.0"
    assert found['isocenter_serving_images_total{outcome="not-dicom"}'] == "10.0"
    assert found["isocenter_serving_score_count"] == "30.0"
    assert found["isocenter_serving_ready_workers"] == "2.0"
    assert 'isocenter_serving_model{model="cxr",version="3"} 1.0' in text
    assert 'isocenter_serving_requests_total{route="/v1/predict",status="200"} 30.0' in later
    assert "isocenter_serving_ready_workers 2.0" in later


def test_workers_share_the_loaded_model(registered: Path, tmp_path: Path) -> None:
    """What a worker has for itself is far less than what the program has loaded."""

    def own(pid: int) -> int:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))

    with running(tmp_path / "log", registered, "--workers", 3) as program:
        wait_for(lambda: len([line for line in program.log() if line["message"] == "ready"]) == 3)
        whole = next(
            int(line.split()[1])
            for line in Path(f"/proc/{program.workers()[0]}/smaps_rollup").read_text().splitlines()
            if line.startswith("Rss:")
        )
        assert max(own(pid) for pid in program.workers()) < 0.5 * whole
