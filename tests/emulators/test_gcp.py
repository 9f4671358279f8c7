"""The emulated Google Cloud, driven by Google's own libraries: what it keeps, and what it refuses."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from isocenter.errors import EnvironmentFaultError, InputError, NotFoundError, TransientFaultError
from isocenter.mirrors.base import Mirror, MirroredVersion
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files
from isocenter.targets.probe import probe

sys.path.insert(0, str(Path(__file__).parent))
from emulated import emulator, no_faults, post

pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")

IMAGE = "europe-west4-docker.pkg.dev/p/isocenter/training@sha256:" + "0" * 64
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    with emulator("gcp", tmp_path_factory.mktemp("gcp") / "store", [sys.executable]) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["gcp"])


@pytest.fixture
def parent(target: DeploymentDescriptor) -> str:
    return f"projects/{target.settings['project']}/locations/{target.region}"


def client(target: DeploymentDescriptor, kind: str) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform_v1

    options = {"api_endpoint": target.endpoints["gcp"]}
    return getattr(aiplatform_v1, kind)(
        credentials=AnonymousCredentials(), transport="rest", client_options=options
    )


def job_body(**changes: Any) -> dict[str, Any]:
    pool = {
        "machineSpec": {"machineType": "n2-standard-8"},
        "replicaCount": 1,
        "containerSpec": {"imageUri": IMAGE, "args": ["-c", "print(1)"]},
    }
    return {"displayName": "job", "jobSpec": {"workerPoolSpecs": [pool]}} | changes


def call(target: DeploymentDescriptor, method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{target.endpoints['gcp']}{path}", data, headers, method=method)
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"{}")


def refusal(ask: Callable[[], Any]) -> dict[str, Any]:
    """The error that a request gets, in Google's shape."""
    with pytest.raises(HTTPError) as caught:
        ask()
    with caught.value as answer:
        error: dict[str, Any] = json.loads(answer.read())["error"]
    assert error["code"] == caught.value.code
    return error


# Requests that the service refuses.


@pytest.mark.parametrize(
    "change",
    [
        {"speed": 3},
        {"jobSpec": {"workerPools": []}},
        {"jobSpec": {"workerPoolSpecs": "one"}},
        {"jobSpec": {"scheduling": {"timeout": "an hour"}}},
        {"jobSpec": {"scheduling": {"strategy": "CHEAP"}}},
        {"labels": ["a"]},
    ],
)
def test_unknown_and_ill_typed_fields_are_refused(
    target: DeploymentDescriptor, parent: str, change: dict[str, Any]
) -> None:
    body = job_body(**change)
    error = refusal(lambda: call(target, "POST", f"/v1/{parent}/customJobs", body))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert "Invalid JSON payload received." in error["message"]


def with_pool(**changes: Any) -> dict[str, Any]:
    body = job_body()
    body["jobSpec"]["workerPoolSpecs"][0] |= changes
    return body


L4 = {"machineType": "g2-standard-8", "acceleratorType": "NVIDIA_L4"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (job_body(displayName=""), "display_name"),
        (job_body(jobSpec={}), "worker_pool_specs; Message: Required"),
        (job_body(labels={"Owner": "me"}), "Not allowed: Owner=me"),
        (job_body(encryptionSpec={"kmsKeyName": "key"}), "It is no key in europe-west4"),
        (with_pool(replicaCount=2), "The first pool has one replica"),
        (with_pool(machineSpec={"machineType": "ml.p4d"}), "'ml.p4d' is not supported"),
        (with_pool(machineSpec={**L4, "acceleratorCount": 3}), "g2-standard-8 has 1 of NVIDIA_L4, not 3"),
        (with_pool(containerSpec={"imageUri": "no image"}), "No image: no image"),
        (with_pool(machineSpec={"machineType": "n1-standard-8", "acceleratorType": 5}), "go together"),
        (with_pool(machineSpec={"machineType": "n1-standard-8", "acceleratorType": 99}), "Invalid value"),
    ],
)
def test_what_the_reference_forbids_is_refused(
    target: DeploymentDescriptor, parent: str, body: dict[str, Any], said: str
) -> None:
    error = refusal(lambda: call(target, "POST", f"/v1/{parent}/customJobs", body))
    assert error["code"] == 400
    assert said in error["message"]


def test_other_projects_paths_and_methods(target: DeploymentDescriptor, parent: str) -> None:
    elsewhere = refusal(lambda: call(target, "GET", "/v1/projects/x/locations/europe-west4/customJobs"))
    assert elsewhere["status"] == "PERMISSION_DENIED"
    assert "aiplatform.customJobs.list" in elsewhere["message"]
    assert refusal(lambda: call(target, "GET", "/v1/nonsense"))["status"] == "NOT_FOUND"
    absent = refusal(lambda: call(target, "GET", f"/v1/{parent}/customJobs/1"))
    assert absent["status"] == "NOT_FOUND"
    lacking = refusal(lambda: call(target, "GET", f"/v1/{parent}/hyperparameterTuningJobs"))
    assert (lacking["code"], lacking["message"]) == (
        501,
        "The emulator doesn't know ListHyperparameterTuningJobs.",
    )
    query = refusal(lambda: call(target, "GET", f"/v1/{parent}/customJobs?color=red"))
    assert query["code"] == 400


def test_web_pages_are_refused(target: DeploymentDescriptor, parent: str) -> None:
    """A page in the user's browser can reach 127.0.0.1, and a job is somebody's program."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example:80"}):
        with pytest.raises(HTTPError) as caught:
            call(target, "POST", f"/v1/{parent}/customJobs", job_body(), **headers)
        caught.value.close()
        assert caught.value.code == 403


def test_ended_jobs_cant_be_cancelled_and_plain_ones_not_interrupted(
    target: DeploymentDescriptor, parent: str
) -> None:
    made = call(target, "POST", f"/v1/{parent}/customJobs", job_body())
    assert made["state"] == "JOB_STATE_PENDING"
    while not (found := call(target, "GET", f"/v1/{made['name']}")).get("endTime"):
        pass
    assert found["state"] == "JOB_STATE_SUCCEEDED"
    for path in (f"/v1/{made['name']}:cancel", "/emulator/interrupt"):
        error = refusal(
            lambda path=path: call(target, "POST", path, {"job": made["name"]} if "em" in path else {})
        )
        assert error["status"] == "FAILED_PRECONDITION"


# Jobs through the high-level library, as its users write them.


def test_custom_job_of_the_high_level_library(target: DeploymentDescriptor, tmp_path: Path) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    aiplatform.init(
        project=target.settings["project"],
        location=target.region,
        staging_bucket=target.buckets["models"],
        credentials=AnonymousCredentials(),
        api_endpoint=target.endpoints["gcp"],
        api_transport="rest",
    )
    marks = tmp_path / "mark"
    job = aiplatform.CustomJob(
        display_name="high-level",
        worker_pool_specs=[
            {
                "machine_spec": {"machine_type": "n2-standard-8"},
                "replica_count": 1,
                "container_spec": {
                    "image_uri": IMAGE,
                    "args": [
                        "-c",
                        f"import os; open({str(marks)!r}, 'w').write(os.environ['AIP_MODEL_DIR'])",
                    ],
                },
            }
        ],
        base_output_dir=f"{target.buckets['models']}/high",
    )
    job.submit()
    job._block_until_complete()
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert marks.read_text() == f"{target.buckets['models']}/high/model/"


def test_lists_are_paged_and_filtered(target: DeploymentDescriptor, parent: str) -> None:
    jobs = client(target, "JobServiceClient")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        call(target, "POST", f"/v1/{parent}/customJobs", job_body(displayName=name, labels={"n": name}))
    found = jobs.list_custom_jobs(
        request={"parent": parent, "filter": 'display_name:"page-*"', "page_size": 2}
    )
    assert [job.display_name for job in found] == names[::-1]
    request = {"parent": parent, "filter": 'labels.n="page-3" AND display_name="page-3"'}
    assert [job.display_name for job in jobs.list_custom_jobs(request=request)] == ["page-3"]
    for bad in ("color=red", "display_name=", 'display_name="a" OR state="b"'):
        assert refusal(
            lambda bad=bad: call(target, "GET", f"/v1/{parent}/customJobs?filter={bad.replace(' ', '%20')}")
        )["code"] in (400, 501)


# Cloud Storage, through the code that stages inputs and fetches outputs.


# gcsfs hands a chunk of a large file to aiohttp as it is; users never see that warning.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_files_put_found_and_got(target: DeploymentDescriptor, tmp_path: Path) -> None:
    uri = f"{target.buckets['data']}/datasets/ab"
    files = target_files(target, uri)
    (tmp_path / "f").write_bytes(b"x" * 9_000_000)
    files.put_file(str(tmp_path / "f"), f"{uri}/deep/ü f")
    files.pipe_file(f"{uri}/.complete", b"")
    files.pipe_file(f"{uri}.beside", b"no part of it")
    again = target_files(target, uri)
    assert again.exists(f"{uri}/.complete")
    assert not again.exists(f"{uri}/nothing")
    root = uri.removeprefix("gs://")
    assert sorted(again.find(uri)) == [f"{root}/.complete", f"{root}/deep/ü f"]
    again.get_file(f"{uri}/deep/ü f", str(tmp_path / "g"))
    assert (tmp_path / "g").read_bytes() == b"x" * 9_000_000
    assert again.cat_file(f"{uri}/deep/ü f", start=1, end=3) == b"xx"
    again.rm(uri, recursive=True)
    assert target_files(target, uri).find(uri) == []


def test_the_target_can_be_probed(target: DeploymentDescriptor) -> None:
    found = probe(target)
    assert {each.what for each in found} == {
        *("endpoint gcp", "endpoint gcp-storage", "bucket data", "bucket models")
    }
    assert all(each.ok for each in found)


# The Model Registry, through the mirror.


@pytest.fixture
def mirror(target: DeploymentDescriptor) -> Mirror:
    from isocenter.mirrors.vertex import VertexMirror

    return VertexMirror(target)


def version(name: str, number: int, digest: str = DIGEST) -> MirroredVersion:
    return MirroredVersion(
        name=name,
        number=number,
        digest=digest,
        artifact_uri=f"gs://isocenter-emulated-models/artifacts/{number}",
        metrics={"auroc": 0.941234, "ece": 0.02},
        labels={"owner": "Imaging", "data-classification": "pseudonymised"},
    )


def models(target: DeploymentDescriptor) -> Any:
    return client(target, "ModelServiceClient")


def test_versions_are_registered_once(mirror: Mirror, target: DeploymentDescriptor) -> None:
    first = mirror.register(version("Chest X-ray", 1))
    second = mirror.register(version("Chest X-ray", 2, "sha256:" + "cd" * 32))
    assert mirror.register(version("Chest X-ray", 1)) == first
    assert first.endswith("/models/chest-x-ray@1")
    assert second.endswith("/models/chest-x-ray@2")
    found = models(target).get_model(name=second)
    assert found.display_name == "Chest X-ray"
    assert found.artifact_uri == "gs://isocenter-emulated-models/artifacts/2"
    assert found.version_description == "auroc 0.941234, ece 0.02"
    assert found.labels["owner"] == "imaging"
    assert found.labels["isocenter-version"] == "2"
    assert found.encryption_spec.kms_key_name == target.keys["data"]
    with pytest.raises(InputError, match="is another model"):
        mirror.register(version("Chest X-ray", 2))


def test_aliases_move(mirror: Mirror, target: DeploymentDescriptor) -> None:
    first, second = (mirror.register(version("moving", number)) for number in (1, 2))
    mirror.set_aliases(first, frozenset({"champion", "shadow"}))
    mirror.set_aliases(second, frozenset({"champion"}))
    mirror.set_aliases(second, frozenset({"champion"}))
    service = models(target)
    assert {*service.get_model(name=first).version_aliases} == {"default", "shadow"}
    assert {*service.get_model(name=second).version_aliases} == {"champion"}
    assert service.get_model(name=first.replace("@1", "@champion")).version_id == "2"
    mirror.set_aliases(first, frozenset())
    assert {*service.get_model(name=first).version_aliases} == {"default"}


def test_approval_is_a_label_and_keeps_the_metrics(mirror: Mirror, target: DeploymentDescriptor) -> None:
    made = mirror.register(version("approved", 1))
    mirror.set_approval(made, True)
    mirror.set_approval(made, False)
    found = models(target).get_model(name=made)
    assert found.labels["isocenter-approved"] == "no"
    assert found.labels["isocenter-version"] == "1"
    assert found.version_description == "auroc 0.941234, ece 0.02"


def test_faults_of_the_mirror(mirror: Mirror, target: DeploymentDescriptor, parent: str) -> None:
    for wrong in ("nonsense", "projects/p/locations/l/models/m"):
        with pytest.raises(InputError):
            mirror.set_aliases(wrong, frozenset())
    with pytest.raises(NotFoundError):
        mirror.set_approval(f"{parent}/models/absent@1", True)
    post(target.endpoints["gcp"], "/emulator/faults", status=503, times=9)
    with pytest.raises(TransientFaultError):
        mirror.register(version("down", 1))


# The verb.


def test_verb_starts_makes_a_target_and_stops(isocenter_cli: Any, home: Any) -> None:
    began = isocenter_cli("emulate", "gcp", "--detach", "--json")
    assert began.returncode == 0, began.stderr
    printed = json.loads(began.stdout)
    try:
        assert printed["target"] == "gcp-emulated"
        again = json.loads(isocenter_cli("emulate", "gcp", "--detach", "--json").stdout)
        assert again == printed
        refused = isocenter_cli("emulate", "gcp")
        assert refused.returncode == InputError.exit_code
        assert "runs already" in refused.stderr
        checked = isocenter_cli("target", "check", "gcp-emulated")
        assert checked.returncode == 0, checked.stdout
    finally:
        stopped = isocenter_cli("emulate", "gcp", "--stop")
    assert "has ended" in stopped.stdout
    assert "does not run" in isocenter_cli("emulate", "gcp", "--stop").stdout
    assert "gcp-emulated" in isocenter_cli("target", "list").stdout, "its runs can still be looked at"


def test_an_emulator_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from isocenter.emulators.serve import load_emulator

    monkeypatch.setitem(sys.modules, "isocenter.emulators.gcp.emulator", None)
    with pytest.raises(EnvironmentFaultError) as caught:
        load_emulator("gcp", tmp_path)
    assert caught.value.hint == "pip install 'isocenter[gcp-emulator]'"
