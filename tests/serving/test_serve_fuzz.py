"""Anything at all, sent to the serving program: no 5xx, and nothing of it in an answer or the log."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving_program import DICOM, Program, running

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
CANARY = "CANARY"


@pytest.fixture(scope="module")
def program(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    log = tmp_path_factory.mktemp("fuzz") / "log"
    with running(log, registered, "--name", "cxr", "--number", 3, "--workers", 1) as started:
        yield started
        assert CANARY not in log.read_text()
        assert not [line for line in started.log() if line["level"] in ("error", "critical")]


@pytest.fixture(scope="module")
def client(program: Program) -> Iterator[httpx.Client]:
    with program.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def original(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file full of canaries."""
    image = pydicom.dcmread(files[0])
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription", "InstitutionName"):
        setattr(image, keyword, CANARY)
    path = tmp_path_factory.mktemp("original") / "original.dcm"
    image.save_as(path)
    return path.read_bytes()


def require_harmless(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    assert CANARY not in answer.text
    assert CANARY not in str(answer.headers)


mutations = st.lists(
    st.tuples(st.integers(0, 10_000), st.binary(min_size=0, max_size=40), st.integers(0, 40)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(changes=mutations, cut=st.integers(0, 12_000) | st.none())
def test_any_dicom_bytes(
    client: httpx.Client, original: bytes, changes: list[tuple[int, bytes, int]], cut: int | None
) -> None:
    data = bytearray(original)
    for place, new, dropped in changes:
        at = place % len(data)
        data[at : at + dropped] = new
    body = bytes(data[:cut])
    require_harmless(client.post("/v1/predict", content=body, headers=DICOM))
    encoded = {"instances": [{"dicom": base64.b64encode(body).decode()}]}
    require_harmless(client.post("/vertex/predict", json=encoded))


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(changes=mutations, kind=st.sampled_from(["sr", "sc"]))
def test_any_dicom_header_of_a_result(
    client: httpx.Client, original: bytes, changes: list[tuple[int, bytes, int]], kind: str
) -> None:
    """Changes of the header only: many files still have an answer, and a result is the patient's own."""
    data = bytearray(original)
    for place, new, dropped in changes:
        at = 132 + place % 1500
        data[at : at + dropped] = new
    answer = client.post(f"/v1/results?kind={kind}", content=bytes(data), headers=DICOM)
    if answer.status_code == 200:
        assert answer.content[128:132] == b"DICM"
    else:
        require_harmless(answer)


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(
    body=st.binary(max_size=2000),
    kind=st.sampled_from(
        [
            "application/dicom",
            "application/json",
            "multipart/related; boundary=a",
            "multipart/related",
            "x/y",
            "",
        ]
    ),
    boundary=st.booleans(),
)
def test_any_bytes(client: httpx.Client, body: bytes, kind: str, boundary: bool) -> None:
    whole = b"--a\r\n\r\n" + body + b"\r\n--a--" if boundary else body
    for route in ("/v1/predict", "/v2/models/cxr/infer"):
        require_harmless(client.post(route, content=whole, headers={"Content-Type": kind}))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([CANARY, "image", "dicom", "FP32"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    CANARY,
                    "instances",
                    "dicom",
                    "b64",
                    "pixels",
                    "inputs",
                    "name",
                    "shape",
                    "datatype",
                    "data",
                    "id",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["image", "dicom", CANARY]),
        "shape": st.lists(st.integers(-1, 5), max_size=5),
        "datatype": st.sampled_from(["FP32", "FP64", "BYTES", CANARY]),
        "data": st.lists(values, max_size=30) | values,
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(value=values | st.fixed_dictionaries({"inputs": st.lists(tensors, max_size=2)}))
def test_any_json(client: httpx.Client, value: object) -> None:
    body = json.dumps(value).encode()
    for route in ("/v1/predict", "/vertex/predict", "/v2/models/cxr/infer"):
        answer = client.post(route, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, answer.text


def test_the_api_is_as_its_description_says(program: Program) -> None:
    """schemathesis: every operation, by requests that fit its schema and ones that don't."""
    schema = schemathesis.openapi.from_url(f"{program.url}/openapi.json")
    checks = [
        no_unstated_server_error,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    ]
    operations = bodies = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        operations += 1
        send_each(operation, schemathesis.GenerationMode.POSITIVE, checks)
        if operation.method == "post":
            bodies += 1
            send_each(operation, schemathesis.GenerationMode.NEGATIVE, [*checks, negative_data_rejection])
    assert operations > 20
    assert bodies == 8


def no_unstated_server_error(_: Any, response: Any, case: schemathesis.Case) -> None:
    """A deadline of a millisecond is a request that can't be fulfilled; any other 5xx is a defect."""
    if response.status_code >= 500:
        assert (response.status_code, response.json()["code"]) == (504, "deadline")
        assert int(case.headers["X-Deadline-Milliseconds"]) < 1000


def send_each(operation: Any, mode: schemathesis.GenerationMode, checks: list[Any]) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=checks)

    send()
