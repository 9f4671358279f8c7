"""An endpoint of the emulated Azure ML with a real model, through Azure's own SDK."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.backends.azureml_client import open_client, open_credential
from isocenter.domain.artifact import MediaType
from isocenter.home import Home
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter_serving.answer import Prediction
from isocenter_serving.predictor import Predictor

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from azure_needs import needs_azure

Cli = Callable[..., subprocess.CompletedProcess[str]]
REASON = ("--reason", "because")


@pytest.fixture
def target(home: Home, isocenter_cli: Cli) -> Iterator[DeploymentDescriptor]:
    """``azure-emulated``, whose serving containers are the installed serving program."""
    needs_azure()
    done = isocenter_cli("emulate", "azure", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    yield load_descriptor(Path(json.loads(done.stdout)["descriptor"]))
    assert isocenter_cli("emulate", "azure", "--stop").returncode == 0


@pytest.fixture
def versions(home: Home, registered: Path, bundle: Path) -> None:
    """``cxr:1`` and ``cxr:2``, which differ in a note only."""
    (bundle / "note.txt").write_text("the second")
    for folder in (registered, bundle):
        artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        open_registry(home).register(
            "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card()
        )


# The SDK's own words about what may change in it.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_from_registered_model_to_answers(
    target: DeploymentDescriptor,
    versions: None,
    registered: Path,
    files: list[Path],
    isocenter_cli: Cli,
    tmp_path: Path,
) -> None:
    deploy = ("endpoint", "deploy", "chest")
    done = isocenter_cli(*deploy, "cxr:1", "--target", target.name, "--cpus", "1", *REASON)
    assert done.returncode == 0, done.stderr + done.stdout
    status = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    url = (status.get("endpoint") or status)["url"]

    (expected,) = Predictor(registered).predict(files[:1])
    assert isinstance(expected, Prediction)
    credential, _ = open_credential(target)
    token = credential.get_token("https://ml.azure.com/.default").token
    headers = {"Content-Type": "application/dicom", "Authorization": f"Bearer {token}"}
    answer = httpx.post(url, content=files[0].read_bytes(), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["score"] == pytest.approx(expected.score, abs=1e-5)
    del headers["Authorization"]
    assert httpx.post(url, content=files[0].read_bytes(), headers=headers, timeout=60).status_code == 401

    done = isocenter_cli(*deploy, "cxr:2", "--shadow", "--cpus", "1", *REASON)
    assert done.returncode == 0, done.stderr + done.stdout
    client = open_client(target)
    (endpoint,) = client.online_endpoints.list()
    assert (endpoint.auth_mode, endpoint.public_network_access) == ("aad_token", "Disabled")
    assert sorted([*endpoint.traffic.values(), *endpoint.mirror_traffic.values()]) == [50, 100]
    request = tmp_path / "request.json"
    instances = [{"dicom": base64.b64encode(path.read_bytes()).decode()} for path in files[:2]]
    request.write_text(json.dumps({"instances": instances}))
    said = client.online_endpoints.invoke(endpoint.name, request_file=str(request))
    found = json.loads(said)["predictions"]
    assert [each["version"] for each in found] == [1, 1]
    assert found[0]["score"] == pytest.approx(expected.score, abs=1e-5)

    assert isocenter_cli("endpoint", "shift", "chest", "100", *REASON).returncode == 0
    promoted = json.loads(client.online_endpoints.invoke(endpoint.name, request_file=str(request)))
    assert promoted["predictions"][0]["version"] == 2
    assert isocenter_cli("endpoint", "rollback", "chest", *REASON).returncode == 0
    back = json.loads(client.online_endpoints.invoke(endpoint.name, request_file=str(request)))
    assert back["predictions"][0]["version"] == 1
    assert '"ready"' in isocenter_cli("endpoint", "logs", "chest").stdout
    done = isocenter_cli("endpoint", "delete", "chest", *REASON)
    assert done.returncode == 0, done.stderr
    assert list(client.online_endpoints.list()) == []
