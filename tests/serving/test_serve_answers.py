"""What the serving program answers, in every form and by every contract: the Predictor's scores."""

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from serving_program import DICOM, Program, running

from isocenter.domain.digest import digest_tree
from isocenter.imaging import read_radiograph
from isocenter_serving.answer import Prediction
from isocenter_serving.predictor import Predictor


@pytest.fixture(scope="module")
def program(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    log = tmp_path_factory.mktemp("program") / "log"
    with running(log, registered, "--name", "cxr", "--number", 3, "--workers", 2) as started:
        yield started


@pytest.fixture(scope="module")
def expected(registered: Path, files: list[Path]) -> list[Prediction]:
    found = list(Predictor(registered, name="cxr", version=3).predict(files[:12]))
    assert all(isinstance(each, Prediction) for each in found)
    return found  # type: ignore[return-value]


def b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def multipart(parts: list[bytes], boundary: str = "a-b") -> bytes:
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def require_same(answers: list[Any], expected: list[Prediction]) -> None:
    assert len(answers) == len(expected)
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer["score"] == pytest.approx(wanted.score, abs=1e-5)
        assert answer["decision"] == wanted.decision


def test_one_file(program: Program, registered: Path, files: list[Path], expected: list[Prediction]) -> None:
    answers = [program.predict(path.read_bytes()) for path in files[:12]]
    assert {answer.status_code for answer in answers} == {200}
    require_same([answer.json() for answer in answers], expected)
    first = answers[0].json()
    assert (first["model"], first["version"], first["digest"]) == ("cxr", 3, digest_tree(registered))
    assert first["request_id"] == answers[0].headers["X-Request-Id"]
    assert len({answer.json()["request_id"] for answer in answers}) == 12


@pytest.mark.parametrize("route", ["/v1/predict", "/invocations", "/score"])
def test_one_file_by_each_contract_that_takes_bytes(
    program: Program, files: list[Path], expected: list[Prediction], route: str
) -> None:
    with program.client() as client:
        answer = client.post(route, content=files[0].read_bytes(), headers=DICOM)
    require_same([answer.json()], expected[:1])


@pytest.mark.parametrize("route", ["/v1/predict", "/invocations", "/score", "/vertex/predict"])
@pytest.mark.parametrize("key", ["dicom", "b64"])
def test_json_instances(
    program: Program, files: list[Path], expected: list[Prediction], route: str, key: str
) -> None:
    body = {"instances": [{key: b64(path)} for path in files[:12]]}
    with program.client() as client:
        answer = client.post(route, json=body)
    assert answer.status_code == 200
    require_same(answer.json()["predictions"], expected)


def test_multipart(program: Program, files: list[Path], expected: list[Prediction]) -> None:
    body = multipart([path.read_bytes() for path in files[:12]])
    content_type = 'multipart/related; type="application/dicom"; boundary="a-b"'
    with program.client() as client:
        answer = client.post("/v1/predict", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 200
    require_same(answer.json()["predictions"], expected)


def test_pixels(program: Program, files: list[Path], expected: list[Prediction]) -> None:
    pixels = [read_radiograph(path).pixels.tolist() for path in files[:3]]
    with program.client() as client:
        answer = client.post("/v1/predict", json={"instances": [{"pixels": each} for each in pixels]})
    require_same(answer.json()["predictions"], expected[:3])


@pytest.mark.parametrize("route", ["/v2/models/cxr/infer", "/v2/models/cxr/versions/3/infer"])
def test_open_inference(program: Program, files: list[Path], expected: list[Prediction], route: str) -> None:
    tensor = {"name": "dicom", "shape": [12], "datatype": "BYTES", "data": [b64(p) for p in files[:12]]}
    with program.client() as client:
        answer = client.post(route, json={"id": "mine", "inputs": [tensor]}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("cxr", "3", "mine")
    scores, decisions = answer["outputs"]
    assert scores["shape"] == decisions["shape"] == [12]
    rows = zip(scores["data"], decisions["data"], strict=True)
    require_same([{"score": score, "decision": decision} for score, decision in rows], expected)


@pytest.mark.parametrize("form", ["flat", "nested", "channel"])
def test_open_inference_of_arrays(
    program: Program, files: list[Path], expected: list[Prediction], form: str
) -> None:
    images = np.stack([read_radiograph(path).pixels for path in files[:3]])
    shaped = images[:, None] if form == "channel" else images
    data = images.ravel().tolist() if form == "flat" else shaped.tolist()
    tensor = {"name": "image", "shape": list(shaped.shape), "datatype": "FP32", "data": data}
    body = {"inputs": [tensor], "outputs": [{"name": "score"}]}
    with program.client() as client:
        (output,) = client.post("/v2/models/cxr/infer", json=body).json()["outputs"]
    assert output["data"] == pytest.approx([each.score for each in expected[:3]], abs=1e-5)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/ping", {"status": "ready"}),
        ("/healthz", {"status": "ok"}),
        ("/readyz", {"status": "ready"}),
        ("/vertex/health", {"status": "ready"}),
        ("/azureml/live", {"status": "ok"}),
        ("/azureml/ready", {"status": "ready"}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/cxr/ready", {"ready": True}),
        ("/v2/models/cxr/versions/3/ready", {"ready": True}),
    ],
)
def test_health(program: Program, route: str, body: dict[str, Any]) -> None:
    with program.client() as client:
        answer = client.get(route)
    assert (answer.status_code, answer.json()) == (200, body)


def test_the_model_is_described(program: Program, registered: Path) -> None:
    with program.client() as client:
        ours, theirs = client.get("/v1/model").json(), client.get("/v2/models/cxr").json()
    assert ours["digest"] == digest_tree(registered)
    assert ours["classes"] == ["normal", "pneumonia"]
    assert theirs["name"] == "cxr"
    assert {tensor["name"] for tensor in theirs["inputs"]} == {"dicom", "image"}


def test_a_refused_image_leaves_the_others_their_answers(
    program: Program, files: list[Path], expected: list[Prediction]
) -> None:
    good = {"dicom": b64(files[0])}
    bad = [{"dicom": "AAAA"}, {"dicom": "no base64!"}, {"pixels": [[0, 1], [0, 1, 1]]}]
    body = {"instances": [bad[0], good, *bad[1:]]}
    with program.client() as client:
        answers = client.post("/v1/predict", json=body).json()["predictions"]
    require_same([answers[1]], expected[:1])
    assert [answer.get("refused") for answer in answers] == ["not-dicom", None, "bad-base64", "bad-pixels"]


def problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_problems(program: Program, files: list[Path]) -> None:
    data = files[0].read_bytes()
    with program.client() as client:
        problem(client.post("/v1/predict", content=b"", headers=DICOM), 422, "empty-file")
        problem(client.post("/v1/predict", content=data[:-500], headers=DICOM), 422, "truncated")
        problem(client.post("/v1/predict", content=data), 415, "unsupported-media-type")
        problem(client.post("/vertex/predict", content=data, headers=DICOM), 415, "unsupported-media-type")
        problem(client.post("/v1/predict", json={"instances": []}), 400, "malformed")
        problem(client.post("/v1/predict", json={"instances": [{"CANARY": 1}]}), 400, "malformed")
        problem(client.get("/v1/predict"), 405, "method-not-allowed")
        problem(client.get("/CANARY"), 404, "no-such-route")
        problem(client.get("/v2/models/CANARY"), 404, "no-such-model")
        problem(client.get("/metrics"), 403, "scope-not-fronted")
        bad = {**DICOM, "X-Deadline-Milliseconds": "CANARY"}
        problem(client.post("/v1/predict", content=data, headers=bad), 400, "bad-header")
        related = {"Content-Type": "multipart/related; boundary=x"}
        problem(client.post("/v1/predict", content=data, headers=related), 400, "malformed")
        cut = multipart([data])[:-10]
        related = {"Content-Type": "multipart/related; boundary=a-b"}
        problem(client.post("/v1/predict", content=cut, headers=related), 400, "malformed")
        many = {"instances": [{"dicom": ""}] * 65}
        problem(client.post("/v1/predict", json=many), 413, "too-many-images")
        deep = "[" * 100_000
        json_type = {"Content-Type": "application/json"}
        problem(client.post("/v1/predict", content=deep, headers=json_type), 400, "malformed")
    assert "CANARY" not in json.dumps(program.log())
    assert not [line for line in program.log() if line["level"] in ("error", "critical")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"instances":[{"pixels":[[NaN,1],[0,1]]}]}', "instances.0.PixelsInstance.pixels.0.0"),
        ('{"instances":[{"pixels":[[0,1],[0,2]]}]}', "instances.0.PixelsInstance.pixels.1.1"),
        ('{"instances":[{"dicom":""},{"b64":3}]}', "string_type at instances.1.EncodedInstance.b64"),
        ('{"instances":[{"dicom":3}]}', "string_type at instances.0.DicomInstance.dicom"),
        (
            '{"inputs":[{"name":"image","shape":[1,2],"datatype":"FP32","data":[0,0]}]}',
            "too_short at inputs.0.ImageTensor.shape",
        ),
    ],
)
def test_a_problem_says_what_is_wrong_with_the_form_that_was_sent(
    program: Program, body: str, said: str
) -> None:
    route = "/v2/models/cxr/infer" if "inputs" in body else "/v1/predict"
    with program.client() as client:
        answer = client.post(route, content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "malformed")
    assert answer.json()["detail"].endswith(f"{said}.")


def test_each_prediction_is_logged_without_its_content(program: Program, files: list[Path]) -> None:
    answer = program.predict(files[0].read_bytes())
    (line,) = [line for line in program.log() if line.get("request_id") == answer.headers["X-Request-Id"]]
    assert (line["route"], line["status"], line["method"]) == ("/v1/predict", 200, "POST")
    assert "abstained" not in line
    assert "CANARY" not in json.dumps(program.log())


def test_the_log_counts_images_without_a_decision(program: Program, files: list[Path]) -> None:
    """Cloud services have no other way to tell."""
    dataset = pydicom.dcmread(files[0])
    dataset.ViewPosition = "LL"
    lateral = io.BytesIO()
    dataset.save_as(lateral)
    answer = program.predict(lateral.getvalue())
    assert answer.json()["decision"] == "abstained"
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while not found and time.monotonic() < deadline:  # the line is written when the answer has gone out
        time.sleep(0.05)
        found = [line for line in program.log() if line.get("request_id") == answer.headers["X-Request-Id"]]
    (line,) = found
    assert line["abstained"] == 1
