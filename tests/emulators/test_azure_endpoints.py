"""Online endpoints of the emulated Azure ML: what it refuses, and Azure's own SDK through it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from isocenter.backends.azureml_client import _unsigned_token, open_client
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
from azure_needs import needs_azure

STAND_IN = Path(__file__).parents[1] / "servers" / "serving_stand_in.py"
IMAGE = "emulated.azurecr.io/isocenter/serving@sha256:" + "0" * 64
ROUTES = {
    "liveness_route": {"path": "/azureml/live", "port": 8080},
    "readiness_route": {"path": "/azureml/ready", "port": 8080},
    "scoring_route": {"path": "/score", "port": 8080},
}
TOLD = {
    "ISOCENTER_SERVING_NUMBER": "7",
    "ISOCENTER_SERVING_DIGEST": "sha256:0",
    "ISOCENTER_SERVING_ACCESS": "fronted:azureml",
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    needs_azure()
    from isocenter.emulators.azure.emulator import AzureEmulator

    scratch = tmp_path_factory.mktemp("azure")
    running = AzureEmulator(scratch, ["/bin/false"], serving_program=[sys.executable, str(STAND_IN)])
    yield running.start("azure-emulated", 0)
    running.close()


def workspace(target: DeploymentDescriptor) -> str:
    settings = target.settings
    return (
        f"/subscriptions/{settings['subscription']}/resourceGroups/{settings['resource_group']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{target.workspace}"
    )


def ask(target: DeploymentDescriptor, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and body of a request, checked by no SDK."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {_unsigned_token('x')}"}
    url = f"{target.endpoints['azure']}{path}?api-version=2025-12-01"
    try:
        with urlopen(Request(url, data, sent, method=method), timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["error"]


def endpoint_body(**properties: Any) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {"authMode": "AADToken", **properties}}


def deployment_body(**properties: Any) -> dict[str, Any]:
    known = {"endpointComputeType": "Managed", "instanceType": "Standard_DS2_v2"}
    return {"location": "westeurope", "properties": known | properties}


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("chest", endpoint_body(speed=3), "has no such field"),
        ("chest", endpoint_body(authMode="Open"), "none of"),
        ("chest", endpoint_body(traffic={"blue": "all"}), "not int"),
        ("chest", {"properties": {"authMode": "AADToken"}}, "location: is missing"),
        ("c", endpoint_body(), "3 to 32 letters"),
        ("chest", endpoint_body(traffic={"blue": 100}), "don't exist"),
        ("chest", endpoint_body() | {"tags": {"why": "x" * 300}}, "256 characters"),
        ("chest", endpoint_body() | {"identity": {"type": "UserAssigned"}}, "is to be named"),
    ],
)
def test_endpoints_that_the_service_would_not_make(
    target: DeploymentDescriptor, name: str, body: dict[str, Any], said: str
) -> None:
    status, error = ask(target, "PUT", f"{workspace(target)}/onlineEndpoints/{name}", body)
    assert (status, said in error["message"]) == (400, True), error


@pytest.fixture
def endpoint(target: DeploymentDescriptor) -> Iterator[str]:
    path = f"{workspace(target)}/onlineEndpoints/refusals"
    assert ask(target, "PUT", path, endpoint_body())[0] == 201
    while ask(target, "GET", path)[1]["properties"]["provisioningState"] != "Succeeded":
        pass
    yield path
    assert ask(target, "DELETE", path)[0] == 202
    while ask(target, "GET", path)[0] != 404:
        pass


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (deployment_body(machine="large"), "has no such field"),
        (deployment_body(instanceType="ml.m5.large"), "not supported"),
        (deployment_body(scaleSettings={"scaleType": "TargetUtilization"}), "Default only"),
        (deployment_body(requestSettings={"requestTimeout": "a minute"}), "not timedelta"),
        (deployment_body(egressPublicNetworkAccess="Maybe"), "none of"),
        (deployment_body(), "no id of a model or environment"),
        (deployment_body(environmentId="/environments/none/versions/1"), "No environments asset"),
    ],
)
def test_deployments_that_the_service_would_not_make(
    target: DeploymentDescriptor, endpoint: str, body: dict[str, Any], said: str
) -> None:
    status, error = ask(target, "PUT", f"{endpoint}/deployments/blue", body)
    assert (status in (400, 404), said in error["message"]) == (True, True), error


def test_nobody_answers_without_traffic_and_without_a_token(
    target: DeploymentDescriptor, endpoint: str
) -> None:
    uri = ask(target, "GET", endpoint)[1]["properties"]["scoringUri"]
    assert ask(target, "POST", uri.removeprefix(target.endpoints["azure"]), {})[0] == 404
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(uri, b"{}", method="POST"), timeout=10)
    caught.value.close()
    assert caught.value.code == 401
    many = {"metricnames": "Nonsense"}
    assert ask(target, "GET", f"{endpoint}/providers/Microsoft.Insights/metrics", many)[0] == 400


@pytest.mark.parametrize(
    ("change", "said"),
    [({"speed": 1}, "no field speed"), ({"targetResourceUri": "x"}, "names no deployment")],
)
def test_autoscale_settings_that_are_refused(
    target: DeploymentDescriptor, change: dict[str, Any], said: str
) -> None:
    group = workspace(target).partition("/providers/")[0]
    capacity = {"minimum": "1", "maximum": "2", "default": "1"}
    properties = {"profiles": [{"name": "a", "capacity": capacity, "rules": []}], **change}
    path = f"{group}/providers/Microsoft.Insights/autoscalesettings/a"
    status, error = ask(target, "PUT", path, {"location": "westeurope", "properties": properties})
    assert (status, said in error["message"]) == (400, True), error


def test_blue_and_green_by_the_sdk(
    target: DeploymentDescriptor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from azure.ai.ml.entities import Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint, Model

    client = open_client(target)
    uri = f"{target.buckets['models']}/artifacts/sdk"
    target_files(target, uri).pipe_file(f"{uri}/behaviour.json", b'{"score": 0.7}')
    path = "azureml://datastores/isocenter_models/paths/artifacts/sdk"
    model = client.models.create_or_update(Model(name="sdk", version="1", path=path, type="custom_model"))
    image = Environment(name="sdk", version="1", image=IMAGE, inference_config=ROUTES)
    environment = client.environments.create_or_update(image)
    made = ManagedOnlineEndpoint(name="by-sdk", auth_mode="aad_token", public_network_access="disabled")
    client.online_endpoints.begin_create_or_update(made).result(60)
    for name in ("blue", "green"):
        deployment = ManagedOnlineDeployment(
            name=name,
            endpoint_name="by-sdk",
            model=model.id,
            environment=environment.id,
            environment_variables=TOLD,
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
        client.online_deployments.begin_create_or_update(deployment).result(60)
    endpoint = client.online_endpoints.get("by-sdk")
    endpoint.traffic = {"blue": 90, "green": 10}
    client.online_endpoints.begin_create_or_update(endpoint).result(60)
    assert client.online_endpoints.get("by-sdk").traffic == {"blue": 90, "green": 10}
    request = tmp_path / "request.json"
    request.write_text("{}")
    said = client.online_endpoints.invoke("by-sdk", request_file=str(request))
    assert (json.loads(said)["score"], json.loads(said)["version"]) == (0.7, 7)
    assert "serving" in client.online_deployments.get_logs("blue", "by-sdk", lines=50)
    client.online_endpoints.begin_delete("by-sdk").result(60)
    assert [each.name for each in client.online_endpoints.list() if each.name == "by-sdk"] == []
    capsys.readouterr()
