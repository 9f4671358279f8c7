"""An endpoint of the emulated Google Cloud with a real model, through Google's libraries."""

import base64
import json
import os
import subprocess
import sys
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
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter_serving.answer import Prediction
from isocenter_serving.predictor import Predictor

pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")
Cli = Callable[..., subprocess.CompletedProcess[str]]
REASON = ("--reason", "because")


@pytest.fixture
def target(home: Home, isocenter_cli: Cli) -> Iterator[DeploymentDescriptor]:
    """``gcp-emulated``, whose serving containers are the installed serving program."""
    done = isocenter_cli("emulate", "gcp", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    yield load_descriptor(Path(json.loads(done.stdout)["descriptor"]))
    assert isocenter_cli("emulate", "gcp", "--stop").returncode == 0


@pytest.fixture
def versions(home: Home, registered: Path, bundle: Path) -> None:
    """``cxr:1`` and ``cxr:2``, which differ in a note only."""
    (bundle / "note.txt").write_text("the second")
    for folder in (registered, bundle):
        artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        open_registry(home).register(
            "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card()
        )


def test_from_registered_model_to_answers(
    target: DeploymentDescriptor, versions: None, registered: Path, files: list[Path], isocenter_cli: Cli
) -> None:
    deploy = ("endpoint", "deploy", "chest")
    done = isocenter_cli(*deploy, "cxr:1", "--target", target.name, "--cpus", "1", *REASON)
    assert done.returncode == 0, done.stderr + done.stdout
    status = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    url = (status.get("endpoint") or status)["url"]
    name = url.partition("/v1/")[2].removesuffix(":predict")

    endpoint = high_level(target, name)
    instances = [{"dicom": base64.b64encode(path.read_bytes()).decode()} for path in files[:4]]
    found = endpoint.predict(instances=instances)
    expected = [each for each in Predictor(registered).predict(files[:4]) if isinstance(each, Prediction)]
    assert [each["score"] for each in found.predictions] == pytest.approx(
        [each.score for each in expected], abs=1e-5
    )
    assert {(each["model"], each["version"]) for each in found.predictions} == {("cxr", 1)}

    raw = httpx.post(url.replace(":predict", ":rawPredict"), json={"instances": instances[:1]}, timeout=60)
    assert raw.status_code == 200, raw.text
    assert raw.headers["X-Vertex-AI-Deployed-Model-Id"] == found.deployed_model_id
    refused = httpx.post(url, json={"instances": [{"dicom": "eA=="}]}, timeout=60)
    assert (refused.status_code, refused.json()["predictions"][0]["refused"]) == (200, "not-dicom")

    done = isocenter_cli(*deploy, "cxr:2", "--canary", "50", "--cpus", "1", *REASON)
    assert done.returncode == 0, done.stderr + done.stdout
    answered = {endpoint.predict(instances=instances[:1]).predictions[0]["version"] for _ in range(4)}
    assert answered == {1, 2}
    assert isocenter_cli("endpoint", "rollback", "chest", *REASON).returncode == 0
    assert endpoint.predict(instances=instances[:1]).predictions[0]["version"] == 1
    assert '"ready"' in isocenter_cli("endpoint", "logs", "chest").stdout
    done = isocenter_cli("endpoint", "delete", "chest", *REASON)
    assert done.returncode == 0, done.stderr


def high_level(target: DeploymentDescriptor, name: str) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    aiplatform.init(
        project=target.settings["project"],
        location=target.region,
        credentials=AnonymousCredentials(),
        api_endpoint=target.endpoints["gcp"],
        api_transport="rest",
    )
    return aiplatform.Endpoint(name)


def test_the_request_is_shown_without_credentials(
    home: Home, versions: None, isocenter_cli: Cli, tmp_path: Path
) -> None:
    descriptor = {
        "name": "gcp-prod",
        "provider": "gcp",
        "backend": "vertex",
        "region": "europe-west4",
        "buckets": {"models": "gs://prod-models"},
        "settings": {"project": "hospital", "images": {"serving": "r.io/serving@sha256:" + "a" * 64}},
    }
    (home.root / "deployments").mkdir(exist_ok=True)
    (home.root / "deployments" / "gcp-prod.json").write_text(json.dumps(descriptor))
    environment = {**os.environ, "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none")}
    asked = ("endpoint", "deploy", "chest", "cxr:1", "--target", "gcp-prod", "--dry-run", "--json")
    done = isocenter_cli(*asked, *REASON, env=environment)
    assert done.returncode == 0, done.stderr
    assert '"modelId": "chest-gcp-prod-cxr-1-' in done.stdout
    assert sys.executable not in done.stdout
