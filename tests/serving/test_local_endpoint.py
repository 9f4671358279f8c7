"""An endpoint on this machine with a real model, as a user of the command line and an HTTP client see it."""

import gzip
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.domain.artifact import MediaType
from isocenter.home import Home
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter_serving.answer import Prediction
from isocenter_serving.predictor import Predictor

Cli = Callable[..., subprocess.CompletedProcess[str]]
DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture
def url(home: Home, registered: Path, isocenter_cli: Cli) -> Iterator[str]:
    """The endpoint ``chest`` with ``cxr:1``."""
    artifact = ArtifactStore(home).publish(registered, name="model", media_type=MediaType.BUNDLE)
    open_registry(home).register(
        "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card()
    )
    done = isocenter_cli("endpoint", "deploy", "chest", "cxr:1", "--reason", "first", "--cpus", "1")
    assert done.returncode == 0, done.stderr
    status = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    yield status["endpoint"]["url"] if "endpoint" in status else status["url"]
    isocenter_cli("endpoint", "delete", "chest", "--reason", "the test is over")


def token(isocenter_cli: Cli, *options: str) -> dict[str, str]:
    done = isocenter_cli("endpoint", "token", "chest", *options)
    assert done.returncode == 0, done.stderr
    return {"Authorization": f"Bearer {done.stdout.strip()}"}


def test_from_registered_model_to_answers(
    url: str, home: Home, registered: Path, files: list[Path], isocenter_cli: Cli
) -> None:
    route = f"{url}/v1/predict"
    body = files[0].read_bytes()
    assert httpx.post(route, content=body, headers=DICOM).status_code == 401
    allowed = token(isocenter_cli)
    wanted = list(Predictor(registered).predict(files[:8]))
    for path, expected in zip(files[:8], wanted, strict=True):
        assert isinstance(expected, Prediction)
        answer = httpx.post(route, content=path.read_bytes(), headers=DICOM | allowed, timeout=60)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert said["score"] == pytest.approx(expected.score, abs=1e-5)
        assert said["decision"] in (expected.decision, "abstained")
        assert (said["model"], said["version"]) == ("cxr", 1)
        assert set(said["verdict"]) == {"acceptable", "findings"}

    # Nothing unpacks a body on its way: packed DICOM is none, and DICOM that is only said to be packed is.
    for sent, status in ((gzip.compress(body), 422), (body, 200)):
        headers = DICOM | allowed | {"Content-Encoding": "gzip"}
        assert httpx.post(route, content=sent, headers=headers, timeout=60).status_code == status
    long = {"Authorization": "Bearer " + "t" * 16_000}
    assert httpx.post(route, content=body, headers=DICOM | long).status_code == 401

    other = token(isocenter_cli, "--scope", "explain")
    assert httpx.post(route, content=body, headers=DICOM | other, timeout=60).status_code == 403
    fresh = token(isocenter_cli, "--revoke-all")
    assert _until(lambda: httpx.post(route, content=body, headers=DICOM | allowed).status_code == 401)
    assert httpx.post(route, content=body, headers=DICOM | fresh, timeout=60).status_code == 200

    isocenter_cli("endpoint", "delete", "chest", "--reason", "look at what is left")
    kept = list((home.root / "endpoints").rglob("features/ready/*.jsonl"))
    records = [json.loads(line) for path in kept for line in path.read_text().splitlines()]
    assert len(records) >= 8
    assert not [path for path in (home.root / "endpoints").rglob("denials/*.jsonl") if path.stat().st_size]
    everything = b"".join(
        path.read_bytes() for path in (home.root / "endpoints").rglob("*") if path.is_file()
    )
    assert b"CANARY" not in everything
    assert allowed["Authorization"].encode() not in everything
    events = json.loads(isocenter_cli("audit", "list", "--json").stdout)
    assert "endpoint.token" in [event["action"] for event in events]
    denials = [event for event in events if event["action"] == "endpoint.access"]
    assert {event["outcome"] for event in denials} == {"denied"}
    reasons = {event["details"]["reason"] for event in denials}
    assert reasons >= {"no-token", "insufficient-scope", "unknown-key"}
    assert isocenter_cli("audit", "verify").returncode == 0


def _until(holds: Callable[[], Any], seconds: float = 20) -> bool:
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.5)
    return False
