"""Explanations, DICOM results and withheld scores, as callers of a running program get them."""

import asyncio
import base64
import io
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from serving_program import DICOM, Program, at_socket, running

from isocenter.home import open_home
from isocenter.issuer import Grant, issue_token, open_issuer_keys
from isocenter.issuer.signing_keys import ALGORITHM, IssuerKeys
from isocenter_serving.batching import Batcher
from isocenter_serving.settings import Batching

AUDIENCE = "chest"


@dataclass(frozen=True)
class Door:
    """A program that asks for tokens, and what it keeps."""

    program: Program
    keys: IssuerKeys
    kept: Path

    def post(
        self, route: str, body: bytes, *scopes: str, content_type: str = DICOM["Content-Type"], **headers: str
    ) -> httpx.Response:
        token, _ = issue_token(self.keys, Grant("viewer", AUDIENCE, scopes))
        sent = {"Authorization": f"Bearer {token}", "Content-Type": content_type, **headers}
        with self.program.client() as client:
            return client.post(route, content=body, headers=sent)

    def denials(self) -> list[dict[str, Any]]:
        path = self.kept / "denials" / "denials.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def door(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    keys = open_issuer_keys(open_home(folder / "store"))
    access = {
        "issuer": keys.issuer,
        "audience": AUDIENCE,
        "jwks_file": str(keys.jwks_file),
        "algorithms": [ALGORITHM],
    }
    options = ("--workers", 1, "--name", "cxr", "--number", 3, "--capture-dir", folder / "kept")
    environment = {"ISOCENTER_SERVING_ACCESS": json.dumps(access)}
    with running(folder / "log", registered, *options, environment=environment) as program:
        yield Door(program, keys, folder / "kept")
        left = [path for path in (folder / "kept").rglob("*") if path.is_file()]
        for path in (folder / "log", *left):
            assert b"CANARY" not in path.read_bytes(), path
        assert not [line for line in program.log() if line["level"] in ("error", "critical")]


@pytest.fixture(scope="module")
def named(files: list[Path]) -> bytes:
    return changed(files[0])


@pytest.fixture(scope="module")
def hand(files: list[Path]) -> bytes:
    """An image on which the model abstains."""
    return changed(files[0], BodyPartExamined="HAND")


def changed(path: Path, **elements: str) -> bytes:
    image = pydicom.dcmread(path)
    image.PatientName, image.PatientID, image.AccessionNumber = "CANARY^PATIENT", "CANARY-1", "CANARY-2"
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    stream = io.BytesIO()
    image.save_as(stream)
    return stream.getvalue()


def require_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "CANARY" not in answer.text


def require_conformity(data: bytes, folder: Path) -> None:
    """By dicom3tools and dcmtk, where they are installed."""
    path = folder / "result.dcm"
    path.write_bytes(data)
    if shutil.which("dciodvfy"):
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert not re.findall("(?m)^Error.*", told.stderr + told.stdout)
    if shutil.which("dsrdump") and pydicom.dcmread(path).Modality == "SR":
        told = subprocess.run(["dsrdump", path], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        assert "Decision threshold" in told.stdout


def test_the_picture(door: Door, named: bytes) -> None:
    answer = door.post("/v1/explain", named, "explain")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "RGB"
    assert not picture.text  # type: ignore[attr-defined]
    body = {"instances": [{"dicom": base64.b64encode(named).decode()}]}
    same = door.post("/v1/explain", json.dumps(body).encode(), "explain", content_type="application/json")
    assert same.content == answer.content


def test_the_description_says_where_a_token_is_asked_for(door: Door) -> None:
    with door.program.client() as client:
        schema = client.get("/openapi.json").json()
        scheme = schema["components"]["securitySchemes"]["token"]
        assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
        operations = 0
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                status = client.request(method, path).status_code
                assert (status == 401) is (operation.get("security") == [{"token": []}]), (method, path)
                operations += status == 401
    assert operations > 8
    assert "502" in schema["paths"]["/v1/predict"]["post"]["responses"]


def test_the_report_of_the_patient(door: Door, named: bytes, tmp_path: Path) -> None:
    said = door.post("/v1/predict", named, "predict").json()
    answer = door.post("/v1/results", named, "predict")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom")
    report, source = highdicom.sr.srread(io.BytesIO(answer.content)), pydicom.dcmread(io.BytesIO(named))
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID"):
        assert report[keyword].value == source[keyword].value
    (group,) = report.content.get_image_measurement_groups()
    values = {each.name.value: each.value for each in group.get_measurements()}
    assert values["score"] == pytest.approx(said["score"], abs=1e-6)
    require_conformity(answer.content, tmp_path)
    again = pydicom.dcmread(io.BytesIO(door.post("/v1/results?kind=sr", named, "predict").content))
    assert again.SOPInstanceUID == report.SOPInstanceUID


def test_the_capture_of_the_patient(door: Door, named: bytes, tmp_path: Path) -> None:
    answer = door.post("/v1/results?kind=sc", named, "predict", "explain")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom")
    capture = pydicom.dcmread(io.BytesIO(answer.content))
    assert (capture.PatientID, str(capture.PatientName)) == ("CANARY-1", "CANARY^PATIENT")
    picture = np.asarray(Image.open(io.BytesIO(door.post("/v1/explain", named, "explain").content)))
    rows, columns, _ = picture.shape
    left = (capture.Columns - columns) // 2
    assert np.array_equal(capture.pixel_array[:rows, left : left + columns], picture)
    require_conformity(answer.content, tmp_path)


@pytest.mark.parametrize(
    ("route", "scopes"),
    [
        ("/v1/explain", ["predict", "admin"]),
        ("/v1/results", ["explain", "admin"]),
        ("/v1/results?kind=sc", ["predict", "admin"]),
        ("/v1/results?kind=sc", ["explain", "admin"]),
        ("/v1/predict?show_withheld=true", ["predict", "explain"]),
        ("/v1/predict?show_withheld=true", ["admin"]),
    ],
)
def test_without_the_scope(door: Door, named: bytes, route: str, scopes: list[str]) -> None:
    before = len(door.denials())
    require_problem(door.post(route, named, *scopes), 403, "insufficient-scope")
    denial = door.denials()[before]
    assert (denial["status"], denial["reason"], denial["subject"]) == (403, "insufficient-scope", "viewer")
    with door.program.client() as client:
        require_problem(client.post(route, content=named, headers=DICOM), 401, "no-token")


@pytest.mark.parametrize("route", ["/invocations", "/score"])
def test_by_a_service_that_passes_on_one_route(door: Door, named: bytes, route: str) -> None:
    both = ("predict", "explain")
    picture = door.post(route, named, "explain", Accept="image/png")
    assert (picture.headers["Content-Type"], picture.content) == (
        "image/png",
        door.post("/v1/explain", named, "explain").content,
    )
    found = [
        pydicom.dcmread(io.BytesIO(door.post(route, named, *both, Accept=accept).content))
        for accept in ("application/dicom", "application/dicom; kind=sc")
    ]
    assert [(each.Modality, each.PatientID) for each in found] == [("SR", "CANARY-1"), ("OT", "CANARY-1")]
    require_problem(door.post(route, named, "predict", Accept="image/png"), 403, "insufficient-scope")
    assert "score" in door.post(route, named, "predict", Accept="application/json, */*").json()


def test_refusals(door: Door, files: list[Path], named: bytes) -> None:
    both = ("predict", "explain")
    for route in ("/v1/explain", "/v1/results", "/v1/results?kind=sc"):
        require_problem(door.post(route, b"CANARY", *both), 422, "not-dicom")
        require_problem(door.post(route, named, *both, content_type="x/y"), 415, "unsupported-media-type")
        late = {"X-Deadline-Milliseconds": "1"}
        require_problem(door.post(route, named, *both, **late), 504, "deadline")
    require_problem(door.post("/v1/results?kind=CANARY", named, *both), 400, "bad-header")
    two = {"instances": [{"dicom": base64.b64encode(named).decode()}] * 2}
    answer = door.post("/v1/explain", json.dumps(two).encode(), "explain", content_type="application/json")
    require_problem(answer, 400, "not-one-image")
    lost = pydicom.dcmread(files[0])
    del lost.StudyInstanceUID
    stream = io.BytesIO()
    lost.save_as(stream)
    require_problem(door.post("/v1/results", stream.getvalue(), *both), 422, "no-dicom-result")
    require_problem(door.post("/v1/results?kind=sc", stream.getvalue(), *both), 422, "no-dicom-result")


def test_a_score_that_must_not_be_used_is_in_no_answer(door: Door, hand: bytes, tmp_path: Path) -> None:
    encoded = base64.b64encode(hand).decode()
    instances = json.dumps({"instances": [{"dicom": encoded}]}).encode()
    shown = door.post("/v1/predict?show_withheld=true", hand, "predict", "admin").json()
    assert isinstance(shown["score"], float)
    assert shown["decision"] == "abstained"
    said = [door.post(route, hand, "predict").json() for route in ("/v1/predict", "/invocations", "/score")]
    for route in ("/v1/predict", "/invocations", "/score", "/vertex/predict"):
        answer = door.post(route, instances, "predict", content_type="application/json")
        said += answer.json()["predictions"]
    assert len(said) == 7
    for each in said:
        assert (each["score"], each["decision"], each["reasons"]) == (None, "abstained", ["not-a-chest"])
    tensor = {"name": "dicom", "shape": [1], "datatype": "BYTES", "data": [encoded]}
    body = json.dumps({"inputs": [tensor]}).encode()
    tensors = door.post("/v2/models/cxr/infer", body, "predict", content_type="application/json").json()
    assert [each["data"] for each in tensors["outputs"]] == [[None], ["abstained"]]
    digits = str(shown["score"])[:8]
    assert digits not in json.dumps([said, tensors])

    report = door.post("/v1/results", hand, "predict")
    (group,) = highdicom.sr.srread(io.BytesIO(report.content)).content.get_image_measurement_groups()
    assert [each.name.value for each in group.get_measurements()] == ["threshold"]
    require_conformity(report.content, tmp_path)
    for route in ("/v1/explain", "/v1/results?kind=sc"):
        require_problem(door.post(route, hand, "predict", "explain"), 422, "abstained")


def test_explanations_are_few_at_a_time_and_predictions_go_on(door: Door, named: bytes) -> None:
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(door.post, "/v1/explain", named, "explain") for _ in range(12)]
        predictions = [door.post("/v1/predict", named, "predict") for _ in range(10)]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in predictions} == {200}
    found = {answer.status_code for answer in answers}
    assert found == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            require_problem(answer, 429, "explanations-busy")
            assert answer.headers["Retry-After"] == "1"
    assert door.post("/v1/explain", named, "explain").status_code == 200


def test_an_image_waits_for_no_more_than_one_call_of_an_explanation() -> None:
    order: list[str] = []

    def score(tiles: Any) -> Any:
        order.append("image")
        return np.zeros(len(tiles))

    def work() -> None:
        time.sleep(0.005)
        order.append("aside")

    async def ask() -> None:
        batcher = Batcher(score, Batching(size=8, wait_s=0.005))
        batcher.start()
        asides = [asyncio.create_task(batcher.aside(work)) for _ in range(20)]
        while not order:
            await asyncio.sleep(0.001)
        done = len(order)
        await batcher.score(np.zeros((4, 4), np.uint16))
        assert order[done : order.index("image")].count("aside") <= 2
        given_up = asides.pop()
        given_up.cancel()
        await asyncio.gather(*asides)
        assert order.count("aside") == 19
        with pytest.raises(ZeroDivisionError):
            await batcher.aside(lambda: 1 // 0)
        await batcher.stop()

    asyncio.run(ask())


def test_a_caller_can_not_say_that_it_is_a_copy(door: Door, named: bytes) -> None:
    answer = door.post("/v1/predict", named, "predict", **{"X-Isocenter-Copy": "1"})
    assert answer.status_code == 200
    assert answer.json()["request_id"] in captured(door.kept)


def test_a_copy_is_not_kept_again_and_neither_is_an_explanation(
    registered: Path, named: bytes, tmp_path: Path
) -> None:
    """At the Unix socket, where only the router asks."""
    socket, kept = tmp_path / "s", tmp_path / "kept"
    options = ("--workers", 1, "--socket", socket, "--capture-dir", kept)
    with at_socket(socket, tmp_path / "log", registered, *options) as client:
        own = client.post("/v1/predict", content=named, headers=DICOM)
        copy = client.post("/v1/predict", content=named, headers={**DICOM, "X-Isocenter-Copy": "1"})
        picture = client.post("/v1/explain", content=named, headers=DICOM)
        report = client.post("/v1/results", content=named, headers=DICOM)
    assert {each.status_code for each in (own, copy, picture, report)} == {200}
    assert copy.json()["score"] == own.json()["score"]
    assert captured(kept) == {own.headers["X-Request-Id"], report.headers["X-Request-Id"]}


def test_what_people_type_into_a_file_is_neither_answered_nor_kept(
    registered: Path, files: list[Path], tmp_path: Path
) -> None:
    typed = {"BodyPartExamined": "JONES MARY", "Manufacturer": "Jones", "ManufacturerModelName": "Mary's CR"}
    socket, kept = tmp_path / "s", tmp_path / "kept"
    options = ("--workers", 1, "--socket", socket, "--capture-dir", kept)
    with at_socket(socket, tmp_path / "log", registered, *options) as client:
        own = client.post("/v1/predict", content=changed(files[0], **typed), headers=DICOM)
        odd = client.post("/v1/predict", content=changed(files[0], Modality="JONES MARY"), headers=DICOM)
    assert {own.status_code, odd.status_code} == {200}
    assert [each["code"] for each in own.json()["verdict"]["findings"]] == ["unseen-body-part"]
    assert odd.json()["reasons"] == ["not-a-chest-x-ray"]
    requests = [answer.headers["X-Request-Id"] for answer in (own, odd)]
    assert captured(kept) == set(requests)
    lines = [line for path in (kept / "features").rglob("*.jsonl") for line in path.read_text().splitlines()]
    for text in (own.text, odd.text, *lines):
        assert "jones" not in text.lower()
        assert "mary" not in text.lower()
    records = {each["request"]: each["attributes"] for each in map(json.loads, lines)}
    first, second = (records[request] for request in requests)
    assert (first["body_part"], first["scanner"], second["modality"]) == ("other",) * 3
    profile = json.loads((registered / "reference_profile.json").read_text())["attributes"]
    assert first["modality"] in profile["modality"]
    assert second["body_part"] == "CHEST"
    assert second["scanner"] in profile["scanner"]


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_an_image_that_is_no_projection_has_no_decision(door: Door, files: list[Path], modality: str) -> None:
    said = door.post("/v1/predict", changed(files[0], Modality=modality), "predict").json()
    assert (said["score"], said["decision"], said["reasons"]) == (None, "abstained", ["not-a-chest-x-ray"])
    assert said["verdict"]["acceptable"] is False
    evidence = said["verdict"]["findings"][0]["evidence"]
    assert evidence["modality"] == modality
    for also in ("CR", "DX", "RG", ""):
        said = door.post("/v1/predict", changed(files[0], Modality=also), "predict").json()
        assert said["reasons"] == []


def captured(kept: Path) -> set[str]:
    """Requests whose features are kept; lines are written within a second or two."""
    deadline = time.monotonic() + 10
    found: set[str] = set()
    while time.monotonic() < deadline:
        paths = [*(kept / "features").rglob("*.jsonl")]
        lines = [line for path in paths for line in path.read_text().splitlines()]
        found = {json.loads(line)["request"] for line in lines}
        if found and not list((kept / "features" / "open").iterdir()):
            break
        time.sleep(0.1)
    return found
