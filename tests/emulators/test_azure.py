"""The emulated Azure: it refuses what Azure ML refuses, runs jobs on mounts, and is a target at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from isocenter.backends.azureml_client import _unsigned_token
from isocenter.errors import EnvironmentFaultError
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from azure_needs import needs_azure
from emulated import emulator
from pipeline_runs import TINY, arguments, environment, run, write_folder

GRACE_S = 1.0
API = "api-version=2025-01-01-preview"
IMAGE = "emulated.azurecr.io/isocenter/training@sha256:" + "0" * 64
Asked = tuple[int, Any]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    needs_azure()
    from isocenter.emulators.azure.emulator import AzureEmulator

    running = AzureEmulator(tmp_path_factory.mktemp("azure"), [sys.executable], stop_grace_s=GRACE_S)
    yield running.start("azure-emulated", 0)
    running.close()


def scope(target: DeploymentDescriptor) -> str:
    settings = target.settings
    return (
        f"/subscriptions/{settings['subscription']}/resourceGroups/{settings['resource_group']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{target.workspace}"
    )


def ask(
    target: DeploymentDescriptor, method: str, path: str, body: Any = None, query: str = API, **headers: str
) -> Asked:
    """What is on the wire: status and body of a request, checked by no SDK."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {_unsigned_token('x')}", **headers}
    request = Request(f"{target.endpoints['azure']}{path}?{query}", data, sent, method=method)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except HTTPError as error:
        with error:
            said = error.read()
            assert error.code == 403 or json.loads(said)["error"]["code"]
            return error.code, said.decode() if error.code == 403 else json.loads(said)["error"]


@pytest.fixture(scope="module")
def environment_id(target: DeploymentDescriptor) -> str:
    path = f"{scope(target)}/environments/training/versions/1"
    status, made = ask(target, "PUT", path, {"properties": {"image": IMAGE}})
    assert status == 201
    return str(made["id"])


Job = Callable[..., dict[str, Any]]


@pytest.fixture
def job(environment_id: str) -> Job:
    """The least that a command job needs."""

    def make(**changes: Any) -> dict[str, Any]:
        properties = {
            "jobType": "Command",
            "command": "true",
            "environmentId": environment_id,
            "resources": {"instanceType": "Standard_D8ds_v5"},
            **changes,
        }
        return {"properties": {name: value for name, value in properties.items() if value is not None}}

    return make


def ended(target: DeploymentDescriptor, name: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        found: dict[str, Any] = ask(target, "GET", f"{scope(target)}/jobs/{name}")[1]["properties"]
        if found["status"] in ("Completed", "Failed", "Canceled"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def blobs(target: DeploymentDescriptor, bucket: str, folder: str) -> dict[str, bytes]:
    uri = f"{target.buckets[bucket]}/{folder}"
    files = target_files(target, uri)
    root = files._strip_protocol(uri)
    return {name.removeprefix(f"{root}/"): files.cat_file(name) for name in files.find(root)}


def at(datastore: str, path: str, **more: Any) -> dict[str, Any]:
    return {"uri": f"azureml://datastores/{datastore}/paths/{path}", **more}


INPUT = {"jobInputType": "uri_folder", "mode": "ReadOnlyMount"}
OUTPUT = {"jobOutputType": "uri_folder", "mode": "Upload"}
WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"spot": True}, "properties.spot: CommandJob has no such field"),
    "unknown field inside": ({"resources": {"gpu": 1}}, "properties.resources.gpu"),
    "missing": ({"command": None}, "properties.command: is missing"),
    "no kind": ({"jobType": None}, "properties.jobType: is missing"),
    "another kind": ({"jobType": "Bake"}, "properties.jobType: is 'Bake', none of"),
    "type": ({"resources": {"instanceCount": "2"}}, "is a string ('2'), not int"),
    "a truth for a number": ({"resources": {"instanceCount": True}}, "not int"),
    "list": ({"tags": ["a"]}, "properties.tags: is a list, not an object"),
    "enumeration": ({"queueSettings": {"jobTier": "Cheap"}}, "is 'Cheap', none of"),
    "time": ({"limits": {"jobLimitsType": "Command", "timeout": "6h"}}, "not timedelta"),
    "no environment": ({"environmentId": "training"}, "names no environment"),
    "an environment that isn't": ({"environmentId": "/environments/a/versions/1"}, "No environments asset"),
    "a cluster that isn't": ({"computeId": "/computes/h100"}, "compute h100 was not found"),
    "too many nodes": (
        {"computeId": "/computes/a10-x1-spot", "resources": {"instanceCount": 9}},
        "has 4 nodes at most",
    ),
    "no machine": ({"resources": None}, "needs a compute"),
    "a placeholder of nothing": ({"command": "ls ${{inputs.dataset}}"}, "inputs.dataset"),
    "a datastore that isn't": ({"inputs": {"x": {**INPUT, **at("none", "a")}}}, "datastore none of x"),
    "elsewhere": ({"inputs": {"x": {**INPUT, "uri": "s3://bucket/a"}}}, "no storage account"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_azure_ml_refuses(target: DeploymentDescriptor, job: Job, what: str) -> None:
    changes, said = WRONG[what]
    status, error = ask(target, "PUT", f"{scope(target)}/jobs/refused", job(**changes))
    assert status in (400, 404)
    assert said in error["message"]
    assert ask(target, "GET", f"{scope(target)}/jobs/refused")[0] == 404


def test_a_sweep_without_its_fields_is_refused(target: DeploymentDescriptor) -> None:
    status, error = ask(target, "PUT", f"{scope(target)}/jobs/p", {"properties": {"jobType": "Sweep"}})
    assert status == 400
    assert "objective: is missing" in error["message"]
    assert ask(target, "GET", f"{scope(target)}/jobs/p")[0] == 404


def test_who_asks_and_where(target: DeploymentDescriptor) -> None:
    workspace = scope(target)
    assert ask(target, "GET", workspace)[1]["properties"]["publicNetworkAccess"] == "Disabled"
    for token in ("", "Bearer x", "Basic YTpi", f"Bearer {_unsigned_token('x').partition('.')[0]}.e30."):
        status, error = ask(target, "GET", workspace, Authorization=token)
        assert (status, error["code"]) == (401, "InvalidAuthenticationToken")
    assert ask(target, "GET", workspace, Origin="https://elsewhere.example")[0] == 403
    assert ask(target, "GET", workspace, query="")[1]["code"] == "MissingApiVersionParameter"
    assert ask(target, "GET", workspace.replace("emulated", "other"))[0] == 404
    assert ask(target, "GET", "/nonsense")[1]["code"] == "InvalidResourceType"
    assert ask(target, "GET", f"{workspace}/onlineEndpoints/e")[0] == 404
    assert ask(target, "PATCH", f"{workspace}/jobs/j", {})[0] == 405
    assert ask(target, "PUT", f"{workspace}/jobs/j", [1])[0] == 400


def test_a_job_is_fixed_but_for_its_tags(target: DeploymentDescriptor, job: Job) -> None:
    path = f"{scope(target)}/jobs/fixed"
    assert [ask(target, "PUT", path, job(tags={"a": tag}))[0] for tag in "12"] == [201, 200]
    assert ask(target, "GET", path)[1]["properties"]["tags"] == {"a": "2"}
    status, error = ask(target, "PUT", path, job(command="false"))
    assert status == 400
    assert "existing job's command cannot be changed" in error["message"]
    listed = [each["name"] for each in ask(target, "GET", f"{scope(target)}/jobs")[1]["value"]]
    assert listed.count("fixed") == 1


def test_a_models_version_is_fixed_but_for_its_tags(target: DeploymentDescriptor) -> None:
    model = {"modelUri": "azureml://datastores/isocenter_models/paths/a", "modelType": "custom_model"}
    path = f"{scope(target)}/models/m/versions/1"

    def put(**more: Any) -> Asked:
        return ask(target, "PUT", path, {"properties": {**model, "properties": {"auroc": "0.9"}, **more}})

    assert [put(tags={"a": "1"})[0], put(tags={"b": "2"})[0]] == [201, 200]
    assert put(modelUri="azureml://datastores/isocenter_models/paths/b")[0] == 409
    status, error = put(properties={"auroc": "0.99"})
    assert (status, error["message"]) == (400, "The asset's property auroc is immutable.")
    found = ask(target, "GET", path)[1]["properties"]
    assert (found["tags"], found["properties"]) == ({"b": "2"}, {"auroc": "0.9"})
    assert ask(target, "GET", f"{scope(target)}/models/m")[1]["properties"] == {"latestVersion": "1"}
    assert put(isArchived=True)[0] == 200
    views = {
        view: len(
            ask(target, "GET", f"{scope(target)}/models/m/versions", None, f"{API}&listViewType={view}")[1][
                "value"
            ]
        )
        for view in ("ActiveOnly", "ArchivedOnly", "All")
    }
    assert views == {"ActiveOnly": 0, "ArchivedOnly": 1, "All": 1}


def test_mounts(target: DeploymentDescriptor, job: Job, tmp_path: Path) -> None:
    """Only what lies under an input's path is in it; an output may have the name of an input."""
    files = target_files(target, target.buckets["data"])
    files.pipe_file(f"{target.buckets['data']}/sets/1/deep/f", b"pixels")
    files.pipe_file(f"{target.buckets['data']}/sets/12/other", b"no")
    command = "cp -r ${{inputs.model}}/. ${{outputs.model}}; env > ${{outputs.model}}/environment"
    body = job(
        command=command,
        inputs={"model": {**INPUT, **at("isocenter_data", "sets/1")}},
        outputs={"model": {**OUTPUT, **at("isocenter_models", "mounted")}},
        environmentVariables={"A": "b"},
        experimentName="trial",
    )
    assert ask(target, "PUT", f"{scope(target)}/jobs/mounts", body)[0] == 201
    assert ended(target, "mounts")["status"] == "Completed"
    found = blobs(target, "models", "mounted")
    assert found.pop("deep/f") == b"pixels"
    variables = found.pop("environment").decode().splitlines()
    assert found == {}
    assert {"A=b", "AZUREML_RUN_ID=mounts", "AZUREML_EXPERIMENT_NAME=trial"} <= set(variables)


def test_checkpoints_are_in_storage_while_the_job_runs(target: DeploymentDescriptor, job: Job) -> None:
    kept = {"kept": {**OUTPUT, **at("isocenter_models", "kept"), "mode": "ReadWriteMount"}}
    command = "mkdir ${{outputs.kept}}/deep; echo 1 > ${{outputs.kept}}/deep/epoch; sleep 60"
    ask(target, "PUT", f"{scope(target)}/jobs/kept", job(command=command, outputs=kept))
    deadline = time.monotonic() + 20
    while blobs(target, "models", "kept") != {"deep/epoch": b"1\n"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ask(target, "GET", f"{scope(target)}/jobs/kept")[1]["properties"]["status"] == "Running"
    assert ask(target, "POST", f"{scope(target)}/jobs/kept/cancel")[0] == 202
    assert ended(target, "kept")["status"] == "Canceled"


def test_who_ignores_sigterm_is_killed_after_the_grace_time(
    target: DeploymentDescriptor, job: Job, tmp_path: Path
) -> None:
    up = tmp_path / "up"
    source = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f" pathlib.Path({str(up)!r}).touch(); time.sleep(60)"
    )
    ask(target, "PUT", f"{scope(target)}/jobs/deaf", job(command=f'python -c "{source}"'))
    deadline = time.monotonic() + 20
    while not up.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    ask(target, "POST", f"{scope(target)}/jobs/deaf/cancel")
    assert ended(target, "deaf")["status"] == "Canceled"
    assert GRACE_S <= time.monotonic() - began < 20


def test_jobs_see_no_secrets_of_the_emulators_environment(
    target: DeploymentDescriptor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hunter2")
    ask(target, "PUT", f"{scope(target)}/jobs/secret", job(command="! env | grep hunter2"))
    assert ended(target, "secret")["status"] == "Completed"


def test_without_node_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("azure.storage.blob", reason="LACKS: pip install 'isocenter[azure]'")
    from isocenter.emulators.azure.blob_storage import install

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFaultError, match="needs node and npm") as caught:
        install()
    assert "apt-get install npm" in caught.value.hint


@pytest.mark.slow
def test_the_verb(tmp_path: Path, isocenter_cli: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """It makes a target that can be checked; a second one is refused; killed, it leaves nothing behind."""
    needs_azure()
    store = tmp_path / "store"
    environ = os.environ | {"ISOCENTER_HOME": str(store), "ISOCENTER_DEPLOYMENTS": str(store / "deployments")}
    with emulator("azure", store, ["/bin/true"]) as printed:
        found = load_descriptor(Path(printed["descriptor"]))
        assert found.name == "azure-emulated"
        assert found.emulated
        checked = isocenter_cli("target", "check", "azure-emulated", "--json", env=environ)
        assert checked.returncode == 0, checked.stdout
        second = isocenter_cli("emulate", "azure", env=environ)
        assert second.returncode != 0
        assert "runs already" in second.stderr
        azurite = azurite_of(printed["pid"])
        os.kill(printed["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{azurite}").exists():
            assert time.monotonic() < deadline, "Azurite outlives the emulator"
            time.sleep(0.05)
    for address in found.endpoints.values():
        with pytest.raises(URLError):
            urlopen(address, timeout=5)
    started = isocenter_cli("emulate", "azure", "--detach", env=environ)
    assert started.returncode == 0, started.stderr
    assert load_descriptor(Path(printed["descriptor"])).endpoints == found.endpoints, "runs go on"
    assert "has ended" in isocenter_cli("emulate", "azure", "--stop", env=environ).stdout
    assert "does not run" in isocenter_cli("emulate", "azure", "--stop", env=environ).stdout


def azurite_of(pid: int) -> int:
    children = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.read_text().rpartition(")")[2].split()[1] == str(pid)
    ]
    (azurite,) = [each for each in children if b"azurite" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return azurite


@pytest.mark.slow
def test_from_dicom_to_a_registered_and_mirrored_model(tmp_path: Path) -> None:
    """As a user: the pipeline through azure-ai-ml, the real training program in Azure ML's place."""
    needs_azure()
    store, deployments = tmp_path / "store", tmp_path / "deployments"
    data = write_folder(tmp_path / "data", patients=120, signal=0.7)
    rules = tmp_path / "acceptance.yaml"
    rules.write_text("rules: [{metric: auroc, min: 0.7}]\n")
    settings = {"env": environment(store, ISOCENTER_DEPLOYMENTS=str(deployments))}
    words = arguments(data, *TINY, "--acceptance", str(rules), "--target", "azure-emulated", "--json")
    started = run(store, ["emulate", "azure", "--detach"], **settings)
    assert started.returncode == 0, started.stderr
    try:
        done = run(store, words, **settings)
        assert done.returncode == 0, done.stderr
        assert "experimental" not in done.stderr, "the SDK's own affairs"
        states = {step["step"]: step["state"] for step in json.loads(done.stdout)["steps"]}
        assert states == dict.fromkeys(
            ("ingest", "validate", "train", "evaluate", "gate", "register"), "done"
        )
        again = json.loads(run(store, words, **settings).stdout)
        assert {step["state"] for step in again["steps"]} == {"cached"}
        # It was carried when it was registered.
        mirrored = json.loads(run(store, ["model", "mirror", "--json"], **settings).stdout)
        assert [(each["version"], each["state"]) for each in mirrored] == [("chest-xray:1", "unchanged")]
        target = load_descriptor(deployments / "azure-emulated.json")
        model = ask(target, "GET", f"{scope(target)}/models/chest-xray/versions/1")[1]["properties"]
        assert model["tags"]["isocenter-alias-challenger"] == "yes"
        assert float(model["properties"]["metric-auroc"]) >= 0.7
        assert "models/model.onnx" in blobs(target, "models", model["modelUri"].partition("/paths/")[2])
        shown = json.loads(run(store, ["model", "show", "chest-xray:1", "--json"], **settings).stdout)
        assert shown["artifact_digest"] == model["properties"]["isocenter-digest"]
        assert "CANARY" not in " ".join(path.read_text() for path in store.rglob("record.json"))
    finally:
        run(store, ["emulate", "azure", "--stop"], **settings)
