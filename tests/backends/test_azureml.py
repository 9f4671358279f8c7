"""The Azure ML backend passes the contract against an emulator that runs its jobs, through azure-ai-ml."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from isocenter.backends import Backend, load_backend
from isocenter.backends.azureml import AzureMLBackend
from isocenter.backends.azureml_request import job_name
from isocenter.backends.patient import PatientBackend
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, PolicyError, TransientFaultError
from isocenter.home import Home
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from azure_needs import needs_azure
from contract import GOLDEN_RUN, BackendContract, Place, Program, wait
from emulated import emulator, no_faults, post

# The SDK's way of reading YAML is outdated; that is its makers' affair.
pytestmark = pytest.mark.filterwarnings("ignore:The `context` parameter is deprecated:DeprecationWarning")
IMAGE = "prod.azurecr.io/isocenter/training@sha256:" + "ab" * 32
# What the image's program does, around a program of a test: the container contract of Azure ML.
CONTAINER = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("program")
for name in ("run-id", "parameters", "model", "output", "checkpoints"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--input", action="append", default=[])
given = parser.parse_args()
assert os.environ["AZUREML_RUN_ID"].startswith("isocenter-" + given.run_id.lower())
os.environ.update(
    ISOCENTER_RUN_ID=given.run_id,
    ISOCENTER_PARAMETERS=given.parameters,
    ISOCENTER_MODEL_DIR=given.model,
    ISOCENTER_OUTPUT_DIR=given.output,
    ISOCENTER_CHECKPOINT_DIR=given.checkpoints,
)
for channel, _, path in (each.partition("=") for each in given.input):
    os.environ["ISOCENTER_INPUT_" + channel.upper()] = path
exec(compile(pathlib.Path(given.program).read_text(), "program", "exec"), {"__name__": "__main__"})
"""
SAVES = (
    "import os, pathlib, signal, sys, time\n"
    "mark = pathlib.Path(os.environ['ISOCENTER_CHECKPOINT_DIR']) / 'epoch'\n"
    "def stop(*_):\n"
    "    mark.write_text('7'); print('saved', flush=True); sys.exit(143)\n"
    "signal.signal(signal.SIGTERM, stop)\n"
    "if mark.exists():\n"
    "    print('continues at', mark.read_text()); sys.exit(0)\n"
    "print('begins', flush=True); time.sleep(60)\n"
)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NETWORK = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/prod/providers/Microsoft.Network/virtualNetworks/prod"
)


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A deployment as `make deploy` leaves it behind."""
    values: dict[str, Any] = {
        "name": "azure-prod",
        "provider": "azure",
        "backend": "azureml",
        "region": "westeurope",
        "residency": "eu",
        "buckets": {
            "data": "abfss://data@proddata.dfs.core.windows.net",
            "models": "abfss://models@prodmodels.dfs.core.windows.net",
        },
        "keys": {"data": "https://prod.vault.azure.net/keys/data/0123456789abcdef"},
        "identities": {"training": "66666666-7777-8888-9999-aaaaaaaaaaaa"},
        "network": {"id": NETWORK, "subnets": [f"{NETWORK}/subnets/workloads"]},
        "workspace": "prod",
        "gpu": [
            {
                "size": "a10",
                "per_node": 1,
                "max_nodes": 4,
                "machine": "Standard_NV36ads_A10_v5",
                "spot": True,
            },
            {"size": "a100-80", "per_node": 4, "max_nodes": 1, "machine": "Standard_NC96ads_A100_v4"},
        ],
        "labels": {
            "owner": "imaging@hospital.example",
            "environment": "prod",
            "data-classification": "phi",
        },
        "settings": {
            "subscription": SUBSCRIPTION,
            "resource_group": "prod",
            "datastores": {"data": "isocenter_data", "models": "isocenter_models"},
            "clusters": [
                {"name": "a10-x1-spot", "size": "a10", "per_node": 1, "spot": True, "max_nodes": 4},
                {"name": "a100-80-x4", "size": "a100-80", "per_node": 4, "spot": False, "max_nodes": 1},
            ],
            "images": {"training": IMAGE},
        },
    }
    return DeploymentDescriptor.model_validate(values | fields)


def backend_for(place: DeploymentDescriptor, **settings: Any) -> AzureMLBackend:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return AzureMLBackend(Home(Path("/srv/isocenter")), described)


def fault(target: DeploymentDescriptor, **wanted: Any) -> None:
    """Ask the emulator for a fault (:mod:`isocenter.emulators.web_server`)."""
    address = f"{target.endpoints['azure']}/emulator/faults"
    with urlopen(Request(address, json.dumps(wanted).encode(), method="POST"), timeout=10):
        pass


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("container") / "container.py"
    path.write_text(CONTAINER)
    return [sys.executable, str(path)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, container: list[str]) -> Iterator[DeploymentDescriptor]:
    needs_azure()
    store = tmp_path_factory.mktemp("azure") / "store"
    with emulator("azure", store, container) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["azure"])


@pytest.fixture
def backend(target: DeploymentDescriptor, home: Home) -> Backend:
    settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
    return load_backend("azureml", home, settings)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def make(source: str) -> TrainingJob:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        path.write_text(source)
        return TrainingJob("program", (str(path),))

    return make


class TestAzureMLBackend(BackendContract):
    @pytest.fixture
    def backend(self, backend: Backend) -> Backend:
        return backend

    @pytest.fixture
    def golden_backend(self) -> Backend:
        return backend_for(descriptor())

    @pytest.fixture
    def program(self, program: Program) -> Program:
        return program

    def sent(self, backend: Backend, submission: Submission, handle: JobHandle) -> dict[str, Any]:
        """What Resource Manager has; ``test_the_service_is_sent_what_was_planned`` looks at what it names
        otherwise.
        """
        assert self.target is not None
        job = rest(self.target, f"jobs/{handle.external_id}")["properties"]
        same = {
            "name": handle.external_id,
            "display_name": job["displayName"],
            "experiment_name": job["experimentName"],
            "command": job["command"],
            "tags": job["tags"],
            "properties": job["properties"],
            "environment_variables": job["environmentVariables"],
            "identity/client_id": job["identity"]["clientId"],
            "resources/instance_type": job["resources"]["instanceType"],
            "resources/instance_count": job["resources"]["instanceCount"],
            **{f"outputs/{name}/path": output["uri"] for name, output in job["outputs"].items()},
        }
        return {f"job/{field}": value for field, value in same.items()}

    @pytest.fixture
    def job(self) -> TrainingJob:
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": "abfss://data@proddata.dfs.core.windows.net/datasets/" + "cd" * 32},
            parameters={"plan": {"name": "small", "seed": 7, "rate": 0.002}, "threads": None},
            environment={"OMP_NUM_THREADS": "2"},
            labels={"model": "chest-xray"},
            compute=Compute(gpu="a10", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600),
        )

    @pytest.fixture
    def place(self, target: DeploymentDescriptor) -> Place:
        def put(folder: Path) -> str:
            uri = f"{target.buckets['data']}/datasets/{folder.name}"
            files = target_files(target, uri)
            for path in folder.rglob("*"):
                if path.is_file():
                    files.put_file(str(path), f"{uri}/{path.relative_to(folder).as_posix()}")
            return uri

        return put

    @pytest.fixture(autouse=True)
    def reads_blobs(self, request: pytest.FixtureRequest) -> None:
        self.target = request.getfixturevalue("target") if "backend" in request.fixturenames else None

    def files_of(self, artifact: Artifact) -> dict[str, bytes]:
        assert self.target is not None
        files = target_files(self.target, artifact.uri)
        root = files._strip_protocol(artifact.uri)
        return {name.removeprefix(f"{root}/"): files.cat_file(name) for name in files.find(root)}


# What a job or its target asks for -> where the request says it.
JOB = TrainingJob(
    "train", ("train",), inputs={"dataset": "abfss://data@proddata.dfs.core.windows.net/datasets/cd"}
)
A10 = Compute(gpu="a10", gpu_count=1, spot=True)
A100 = Compute(gpu="a100-80", gpu_count=4)
OTHER = IMAGE.replace("ab", "cd")
RUNS = f"azureml://datastores/isocenter_models/paths/runs/{GOLDEN_RUN}"
PLACES = (
    '--model "${{outputs.model}}" --output "${{outputs.output}}" --checkpoints "${{outputs.checkpoints}}"'
)
HONOURED: Mapping[str, tuple[TrainingJob, str, Any]] = {
    "image by digest": (replace(JOB, image=OTHER), "job.environment.image", OTHER),
    "the target's image": (JOB, "job.environment.image", IMAGE),
    "command, run id, parameters and places": (
        replace(JOB, command=("evaluate",), parameters={"a": [1, "it's"]}),
        "job.command",
        f"python -m isocenter_training evaluate --run-id {GOLDEN_RUN} --parameters"
        ' \'{"a":[1,"it\'"\'"\'s"]}\' --input dataset="${{inputs.dataset}}" ' + PLACES,
    ),
    "input": (JOB, "job.inputs.dataset.path", "azureml://datastores/isocenter_data/paths/datasets/cd"),
    "input elsewhere in Azure": (
        replace(JOB, inputs={"dataset": "abfss://x@other.dfs.core.windows.net/set"}),
        "job.inputs.dataset.path",
        "abfss://x@other.dfs.core.windows.net/set",
    ),
    "inputs are read only": (JOB, "job.inputs.dataset.mode", "ro_mount"),
    "model": (JOB, "job.outputs.model.path", f"{RUNS}/model"),
    "output": (JOB, "job.outputs.output.path", f"{RUNS}/output"),
    "checkpoints": (JOB, "job.outputs.checkpoints.path", f"{RUNS}/checkpoints"),
    "checkpoints outlive the machine": (JOB, "job.outputs.checkpoints.mode", "rw_mount"),
    "no gpu": (JOB, "job.resources.instance_type", "Standard_D8ds_v5"),
    "no gpu, spot": (replace(JOB, compute=Compute(spot=True)), "job.queue_settings.job_tier", "spot"),
    "no gpu, not spot": (JOB, "job.queue_settings.job_tier", "standard"),
    "gpu size and count": (replace(JOB, compute=A100), "job.compute", "azureml:a100-80-x4"),
    "processes of a machine": (
        replace(JOB, compute=A100),
        "job.distribution",
        {"type": "pytorch", "process_count_per_instance": 4},
    ),
    "nodes": (replace(JOB, compute=replace(A10, nodes=3)), "job.resources.instance_count", 3),
    "nodes train together": (replace(JOB, compute=replace(A10, nodes=3)), "job.distribution.type", "pytorch"),
    "spot": (replace(JOB, compute=A10), "job.compute", "azureml:a10-x1-spot"),
    "time limit": (replace(JOB, compute=Compute(max_runtime_s=60)), "job.limits", {"timeout": 60}),
    "a day where no time limit is asked for": (JOB, "job.limits", {"timeout": 86_400}),
    "key": (JOB, "workspace.must_have.customer_managed_key", "https://prod.vault.azure.net/keys/data"),
    "private subnets": (JOB, "workspace.subnets", [f"{NETWORK}/subnets/workloads"]),
    "no public access": (JOB, "workspace.must_have.public_network_access", "Disabled"),
    "network isolation": (JOB, "workspace.must_have.managed_network", "AllowOnlyApprovedOutbound"),
    "workspace": (JOB, "workspace.name", "prod"),
    "identity": (
        JOB,
        "job.identity",
        {"type": "managed", "client_id": "66666666-7777-8888-9999-aaaaaaaaaaaa"},
    ),
    "environment": (replace(JOB, environment={"A": "b"}), "job.environment_variables", {"A": "b"}),
    "labels": (
        replace(JOB, labels={"model": "chest-xray", "data-classification": "pseudonymised"}),
        "job.tags",
        {
            "data-classification": "pseudonymised",
            "environment": "prod",
            "isocenter-run": GOLDEN_RUN.lower(),
            "model": "chest-xray",
            "owner": "imaging@hospital.example",
        },
    ),
}


@pytest.mark.parametrize("what", HONOURED)
def test_what_a_job_asks_for_is_in_the_request(what: str) -> None:
    job, path, expected = HONOURED[what]
    value: Any = backend_for(descriptor()).plan(job, GOLDEN_RUN).request
    for part in path.split("."):
        value = value[part]
    if path == "job.tags":  # the digest of this very request
        value = {key: text for key, text in value.items() if key != "isocenter-submission"}
    assert value == expected


def test_the_service_is_sent_what_was_planned(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    """The SDK turns the YAML form into Resource Manager's; the service shows what came of each field."""
    job = replace(
        program("import time; time.sleep(60)"),
        inputs={"dataset": f"{target.buckets['data']}/datasets/cd"},
        environment={"A": "b"},
        labels={"model": "chest-xray"},
        compute=replace(A10, nodes=2, max_runtime_s=90),
    )
    target_files(target, job.inputs["dataset"]).pipe_file(f"{job.inputs['dataset']}/x", b"x")
    run = new_run_id()
    submission = backend.plan(job, run)
    handle = backend.submit(submission)
    sent = rest(target, f"jobs/{handle.external_id}")["properties"]
    backend.cancel(handle)
    environment = sent["environmentId"].partition("/workspaces/emulated/")[2]
    assert rest(target, environment)["properties"]["image"] == target.settings["images"]["training"]
    assert sent["command"] == submission.request["job"]["command"]
    assert sent["computeId"].endswith("/computes/a10-x1-spot")
    assert sent["resources"]["instanceCount"] == 2
    assert sent["distribution"] == {"distributionType": "PyTorch", "processCountPerInstance": 1}
    assert sent["limits"] == {"jobLimitsType": "Command", "timeout": "PT1M30S"}
    assert sent["identity"] == {
        "identityType": "Managed",
        "clientId": target.identities["training"],
    }
    assert sent["environmentVariables"] == {"A": "b"}
    assert sent["inputs"]["dataset"] == {
        "jobInputType": "uri_folder",
        "mode": "ReadOnlyMount",
        "uri": "azureml://datastores/isocenter_data/paths/datasets/cd",
    }
    modes = {name: output["mode"] for name, output in sent["outputs"].items()}
    assert modes == {"model": "Upload", "output": "Upload", "checkpoints": "ReadWriteMount"}
    runs = f"azureml://datastores/isocenter_models/paths/runs/{run}"
    assert {each["uri"] for each in sent["outputs"].values()} == {
        f"{runs}/{kind}" for kind in ("model", "output", "checkpoints")
    }
    assert sent["tags"] == submission.request["job"]["tags"]
    assert sent["properties"] == {"mlflow.source.git.commit": ""}, "nothing of the folder that we stand in"
    assert sent["experimentName"] == "isocenter"


def rest(target: DeploymentDescriptor, path: str) -> dict[str, Any]:
    """What the emulated workspace shows, asked without the SDK."""
    from isocenter.backends.azureml_client import _unsigned_token

    scope = target.settings
    address = (
        f"{target.endpoints['azure']}/subscriptions/{scope['subscription']}/resourceGroups"
        f"/{scope['resource_group']}/providers/Microsoft.MachineLearningServices/workspaces"
        f"/{target.workspace}/{path}?api-version=2025-01-01-preview"
    )
    request = Request(address, headers={"Authorization": f"Bearer {_unsigned_token('x')}"})
    with urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


REFUSED: Mapping[str, tuple[TrainingJob, str]] = {
    "tag": (replace(JOB, image="registry/training:1.0"), "digest"),
    "count that nobody sells": (
        replace(JOB, compute=Compute(gpu="a100-80", gpu_count=3)),
        "Nearest that it sells: a100-80 x 2, a100-80 x 4, ",
    ),
    "longer than any service": (replace(JOB, compute=Compute(max_runtime_s=8 * 86_400)), "a week"),
    "no time at all": (replace(JOB, compute=Compute(max_runtime_s=0)), "1 s to a week"),
    "gpu that no cloud has": (replace(JOB, compute=Compute(gpu="v9", gpu_count=1)), "Nearest"),
    "gpu that Azure lacks": (replace(JOB, compute=Compute(gpu="l4", gpu_count=1)), "Nearest: a10"),
    "gpu that is not on offer": (replace(JOB, compute=Compute("h100", 8)), "a100-80 x 4"),
    "count that is not on offer": (replace(JOB, compute=replace(A10, gpu_count=2)), "a10 x 1"),
    "too many nodes": (replace(JOB, compute=replace(A10, nodes=9)), "4 machines at most"),
    "not on spot": (replace(JOB, compute=replace(A100, spot=True)), "not as spot"),
    "on spot only": (replace(JOB, compute=replace(A10, spot=False)), "taken away (spot)"),
    "input elsewhere": (replace(JOB, inputs={"dataset": "s3://bucket/set"}), "s3://"),
    "input's name": (replace(JOB, inputs={"data-set": JOB.inputs["dataset"]}), "letters"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_run_is_refused_by_plan(what: str) -> None:
    job, said = REFUSED[what]
    with pytest.raises(InputError) as caught:
        backend_for(descriptor()).plan(job, GOLDEN_RUN)
    assert said in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"settings": {**descriptor().settings, "images": {}}}, "names no image"),
        ({"identities": {}}, "names no identity"),
        ({"settings": {"images": {"training": IMAGE}}}, "settings.subscription"),
    ],
)
def test_target_that_lacks_something(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        backend_for(descriptor(**fields)).plan(JOB, GOLDEN_RUN)


def test_plan_needs_no_sdk() -> None:
    """Neither does the command line's help: azure-ai-ml is imported when Azure is asked."""
    source = (
        "import sys; sys.modules['azure'] = sys.modules['adlfs'] = None\n"
        "import json; from isocenter.backends import load_backend; from isocenter.home import open_home\n"
        "from isocenter.domain.training_job import TrainingJob\n"
        "backend = load_backend('azureml', open_home(), json.loads(sys.argv[1]))\n"
        "from isocenter.domain.run import new_run_id\n"
        "print(backend.plan(TrainingJob('t', ('train',)), new_run_id()).request['job']['name'])\n"
        "from isocenter.domain.run import JobHandle\n"
        "run = new_run_id()\n"
        "try: backend.submit(backend.plan(TrainingJob('t', ('train',)), run))\n"
        "except Exception as error: print(error.hint)\n"
    )
    place = descriptor()
    settings = json.dumps({**place.settings, "descriptor": place.model_dump(mode="json")})
    printed = subprocess.run(
        [sys.executable, "-c", source, settings], capture_output=True, text=True, check=False
    )
    assert printed.stdout.startswith("isocenter-01"), printed.stderr
    assert printed.stdout.endswith("pip install 'isocenter[azure]'\n")


# How jobs end.


def test_reason_of_a_job_that_says_nothing(backend: Backend, program: Program) -> None:
    status = wait(backend, backend.submit(backend.plan(program("import os; os._exit(9)"), new_run_id())))
    assert status == JobStatus(JobState.FAILED, 9, "The job ended with exit code 9 and said nothing.")


def test_killed_from_outside(backend: Backend, program: Program) -> None:
    job = program("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, -signal.SIGKILL)


def test_input_that_is_not_there(backend: Backend, target: DeploymentDescriptor, program: Program) -> None:
    job = replace(program("print(1)"), inputs={"dataset": f"{target.buckets['data']}/nothing"})
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, None)
    assert "'dataset' holds no file" in (status.reason or "")


def test_time_limit(backend: Backend, program: Program) -> None:
    job = replace(program("import time; time.sleep(60)"), compute=Compute(max_runtime_s=1))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert status == JobStatus(JobState.FAILED, reason="Stopped at its time limit.")


def test_cancelled_on_request(backend: Backend, program: Program) -> None:
    job = replace(program("import time; time.sleep(60)"), compute=Compute(max_runtime_s=3600))
    handle = backend.submit(backend.plan(job, new_run_id()))
    backend.cancel(handle)
    assert wait(backend, handle) == JobStatus(JobState.CANCELLED, reason="Stopped on request.")


def test_spot_interruption_continues_from_the_checkpoint(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    """The service queues the job again: it is the same attempt of ours."""
    job = replace(program(SAVES), compute=A10)
    submission = backend.plan(job, new_run_id())
    handle = backend.submit(submission)
    lines = backend.logs(handle, follow=True)
    assert next(lines) == "begins"
    post(target.endpoints["azure"], f"/emulator/jobs/{handle.external_id}/interrupt")
    assert list(lines) == ["saved", "continues at 7"]
    assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)
    assert backend.submit(submission) == handle


def test_cancelled_run_continues_from_its_checkpoint(backend: Backend, program: Program) -> None:
    submission = backend.plan(program(SAVES), new_run_id())
    first = backend.submit(submission)
    lines = backend.logs(first, follow=True)
    assert next(lines) == "begins"
    backend.cancel(first)
    assert list(lines) == ["saved"]
    second = backend.submit(submission)
    assert second.external_id == job_name(submission.run, 2)
    assert list(backend.logs(second, follow=True)) == ["continues at 7"]


def test_two_machines_meet(backend: Backend, program: Program) -> None:
    source = (
        "import os, pathlib\n"
        "rank = os.environ['RANK']\n"
        "(pathlib.Path(os.environ['ISOCENTER_MODEL_DIR']) / rank).write_text(rank)\n"
        "print(*(os.environ[n] for n in ('RANK', 'NODE_RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR')))\n"
    )
    handle = backend.submit(
        backend.plan(replace(program(source), compute=replace(A10, nodes=2)), new_run_id())
    )
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert list(backend.logs(handle)) == ["0 0 0 2 127.0.0.1"]
    (model,) = backend.outputs(handle)
    assert model.size == 2


def test_one_of_two_machines_fails(backend: Backend, program: Program) -> None:
    source = "import os, sys, time; sys.exit('It fell.') if os.environ['RANK'] == '1' else time.sleep(60)\n"
    job = replace(program(source), compute=replace(A10, nodes=2))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, 1)
    assert "It fell." in (status.reason or "")


# What Azure may answer instead, or not at all.


def test_throttled_and_unavailable_is_asked_again(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    told: list[str] = []
    patient = PatientBackend(backend, told=lambda fault, wait: told.append(fault.message))
    for status in (429, 503):
        fault(target, method="PUT", path="/jobs/", status=status)
    handle = patient.submit(patient.plan(program("print(1)"), new_run_id()))
    assert ["is busy" in told[0], "HTTP 503" in told[1]] == [True, True]
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert handle.external_id.endswith("-1")


def test_how_long_to_wait_is_heeded(backend: Backend, target: DeploymentDescriptor, program: Program) -> None:
    fault(target, path="/jobs/", status=429, retry_after="3")
    with pytest.raises(TransientFaultError) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert caught.value.retry_after_s == 3


@pytest.mark.parametrize("how", [{"drop": "after"}, {"drop": "before"}, {"delay_s": 1.5}])
def test_accepted_but_the_answer_is_lost(
    target: DeploymentDescriptor, program: Program, marks: Path, how: dict[str, Any]
) -> None:
    """The job is found again by its name: it runs once."""
    backend = backend_for(target, read_timeout_s=1.0)
    source = f"import os, time; open({str(marks)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(0.3)"
    submission = backend.plan(program(source), new_run_id())
    fault(target, method="PUT", path="/jobs/", **how)
    with pytest.raises(TransientFaultError):
        backend.submit(submission)
    time.sleep(how.get("delay_s", 0))
    handle = backend_for(target).submit(submission)
    assert handle.external_id.endswith("-1")
    assert wait(backend_for(target), handle).state is JobState.SUCCEEDED
    assert len(list(marks.iterdir())) == 1


def test_two_clients_at_once_start_one_job(target: DeploymentDescriptor, program: Program) -> None:
    submission = backend_for(target).plan(program("import time; time.sleep(0.3)"), new_run_id())
    found: list[JobHandle] = []

    def submit() -> None:
        found.append(PatientBackend(backend_for(target)).submit(submission))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, EnvironmentFaultError, "doesn't accept the credentials: The access token has expired."),
        (403, PolicyError, "it lacks Microsoft.MachineLearningServices/workspaces/jobs/write"),
        (400, InputError, "refuses to start the job"),
    ],
)
def test_refusals_in_the_users_terms(
    backend: Backend,
    target: DeploymentDescriptor,
    program: Program,
    status: int,
    kind: type[Exception],
    said: str,
) -> None:
    fault(target, method="PUT", path="/jobs/", status=status)
    with pytest.raises(kind) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert said in str(caught.value)
    assert not isinstance(caught.value, TransientFaultError)


def test_who_may_not_is_told_what_to_ask_for(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    fault(target, method="PUT", path="/jobs/", status=403)
    with pytest.raises(PolicyError) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert caught.value.hint == "Ask for the role AzureML Data Scientist on the workspace."


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    """The SDK's standard chain, cut down to what asks nobody."""
    needs_azure()
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    backend = backend_for(descriptor())
    submission = backend.plan(program("print(1)"), new_run_id())
    with pytest.raises(EnvironmentFaultError) as caught:
        backend.submit(submission)
    assert not isinstance(caught.value, TransientFaultError)
    assert "got no credentials" in caught.value.message
    assert "az login" in caught.value.hint
    handle = JobHandle("azureml", submission.run, job_name(submission.run, 1))
    assert backend.status(handle).state is JobState.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keys": {"data": "https://other.vault.azure.net/keys/data/1"}}, "customer managed key"),
        ({"network": {"id": "x", "subnets": ["y"]}, "keys": {}}, ""),
    ],
)
def test_job_goes_to_no_workspace_that_is_not_as_deployed(
    target: DeploymentDescriptor, program: Program, fields: dict[str, Any], said: str
) -> None:
    changed = DeploymentDescriptor.model_validate({**target.model_dump(), **fields})
    backend = backend_for(changed)
    submission = backend.plan(program("print(1)"), new_run_id())
    if not said:
        assert wait(backend, backend.submit(submission)).state is JobState.SUCCEEDED
        return
    with pytest.raises(PolicyError, match=said):
        backend.submit(submission)
    assert backend.status(JobHandle("azureml", submission.run, job_name(submission.run, 1))).missing


def test_nobody_answers(program: Program) -> None:
    needs_azure()
    endpoints = {"azure": "http://127.0.0.1:9", "azure-storage": "http://127.0.0.1:9/devstoreaccount1"}
    backend = backend_for(descriptor(emulated=True, endpoints=endpoints))
    submission = backend.plan(program("print(1)"), new_run_id())
    with pytest.raises(TransientFaultError, match="can't be reached"):
        backend.submit(submission)
    handle = JobHandle("azureml", submission.run, job_name(submission.run, 1))
    assert backend.status(handle).state is JobState.UNKNOWN


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_server_is_killed_and_comes_back(
    tmp_path: Path, home: Home, container: list[str], program: Program, how: signal.Signals
) -> None:
    """Killed: the job goes on meanwhile, and its log is read on. Ended in order: its jobs are cancelled."""
    needs_azure()
    store = tmp_path / "emulated"
    go_on = tmp_path / "go on"
    source = (
        "import os, pathlib, time\n"
        "print('first', flush=True)\n"
        f"while not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.02)\n"
        "(pathlib.Path(os.environ['ISOCENTER_MODEL_DIR']) / 'w').write_text('x'); print('last')\n"
    )
    with emulator("azure", store, container) as printed:
        target = load_descriptor(Path(printed["descriptor"]))
        backend = backend_for(target)
        submission = backend.plan(program(source), new_run_id())
        handle = backend.submit(submission)
        lines = PatientBackend(backend).logs(handle, follow=True)
        assert next(lines) == "first"
        os.kill(printed["pid"], how)
    assert backend.status(handle).state is JobState.UNKNOWN
    with pytest.raises(TransientFaultError):
        backend.submit(submission)
    go_on.touch()
    with emulator("azure", store, container) as printed:
        assert load_descriptor(Path(printed["descriptor"])).endpoints == target.endpoints
        if how is signal.SIGTERM:
            assert wait(backend, handle).state is JobState.CANCELLED
            return
        assert list(lines) == ["last"]
        assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)
        assert [artifact.name for artifact in backend.outputs(handle)] == ["model"]
        assert backend.submit(submission) == handle


def test_run_ids_differ_in_the_job_name() -> None:
    assert job_name(RunId("01A"), 1) == "isocenter-01a-1"
