"""The Vertex AI backend passes the contract against an emulator that runs its jobs, by Google's library."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from isocenter.backends import Backend, load_backend
from isocenter.backends.patient import PatientBackend
from isocenter.backends.vertex import VertexBackend
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.home import Home
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from contract import GOLDEN_RUN, BackendContract, Place, Program, wait
from emulated import emulator, no_faults, post

CONTAINER = (sys.executable, str(Path(__file__).with_name("vertex_container.py")))
IMAGE = "europe-west4-docker.pkg.dev/hospital/isocenter/training@sha256:" + "ab" * 32
KEY = "projects/hospital/locations/europe-west4/keyRings/prod/cryptoKeys/data"
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


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A deployment as `make deploy` leaves it behind."""
    values: dict[str, Any] = {
        "name": "gcp-prod",
        "provider": "gcp",
        "backend": "vertex",
        "region": "europe-west4",
        "residency": "eu",
        "buckets": {"data": "gs://prod-data", "models": "gs://prod-models"},
        "keys": {"data": KEY},
        "identities": {"training": "prod-training@hospital.iam.gserviceaccount.com"},
        "network": {"id": "projects/hospital/global/networks/prod", "subnets": ["a"]},
        "gpu": [
            {"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "g2-standard-8", "spot": True},
            {"size": "a100-80", "per_node": 8, "max_nodes": 1, "machine": "a2-ultragpu-8g"},
        ],
        "labels": {"owner": "imaging", "environment": "prod", "data-classification": "phi"},
        "settings": {
            "project": "hospital",
            "project_number": "123456789012",
            "peered_network": "projects/123456789012/global/networks/prod",
            "images": {"training": IMAGE},
        },
    }
    return DeploymentDescriptor.model_validate(values | fields)


def backend_for(place: DeploymentDescriptor, **settings: Any) -> VertexBackend:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return VertexBackend(Home(Path(os.environ.get("ISOCENTER_HOME", "/srv/isocenter"))), described)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The emulated target; ``vertex_container.py`` is the image's entry point."""
    lacks = "LACKS: Google's libraries; pip install 'isocenter[gcp-emulator]'"
    pytest.importorskip("gcp_storage_emulator", reason=lacks)
    with emulator("gcp", tmp_path_factory.mktemp("gcp") / "store", CONTAINER) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["gcp"])


@pytest.fixture
def backend(target: DeploymentDescriptor, home: Home) -> Backend:
    settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
    return load_backend("vertex", home, settings)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def program() -> Program:
    return lambda source: TrainingJob("program", ("-c", source))


class TestVertexBackend(BackendContract):
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
        """The whole job as the service's REST API shows it, but for what the service itself adds."""
        assert self.target is not None
        with urlopen(f"{self.target.endpoints['gcp']}/v1/{handle.external_id}", timeout=10) as answer:
            job = json.loads(answer.read())
        told = ("name", "state", "createTime", "updateTime", "startTime", "endTime")
        return {"customJob": {field: value for field, value in job.items() if field not in told}}

    @pytest.fixture
    def job(self) -> TrainingJob:
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": "gs://prod-data/datasets/" + "cd" * 32},
            parameters={"plan": {"name": "small", "seed": 7, "rate": 0.002}, "threads": None},
            environment={"OMP_NUM_THREADS": "2"},
            labels={"model": "chest-xray"},
            compute=Compute(gpu="l4", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600),
        )

    @pytest.fixture
    def place(self, target: DeploymentDescriptor) -> Place:
        def put(folder: Path) -> str:
            uri = f"{target.buckets['data']}/datasets/{folder.name}"
            for path in folder.rglob("*"):
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    target_files(target, uri).put_file(str(path), f"{uri}/{name}")
            return uri

        return put

    @pytest.fixture(autouse=True)
    def reads_storage(self, request: pytest.FixtureRequest) -> None:
        self.target = request.getfixturevalue("target") if "backend" in request.fixturenames else None

    def lost(self, handle: JobHandle) -> JobHandle:
        return replace(handle, external_id=f"{handle.external_id.rpartition('/')[0]}/1")

    def files_of(self, artifact: Artifact) -> dict[str, bytes]:
        assert self.target is not None
        files, root = target_files(self.target, artifact.uri), artifact.uri.removeprefix("gs://")
        return {name.removeprefix(root + "/"): files.cat_file(name) for name in files.find(root)}


# What a job or its target asks for -> where the CustomJob says it.
JOB = TrainingJob("train", ("train",), inputs={"dataset": "gs://prod-data/datasets/cd"})
L4 = Compute(gpu="l4", gpu_count=1)
OTHER = IMAGE.replace("ab", "cd")
POOL, CONTAINER_SPEC = "jobSpec.workerPoolSpecs.0", "jobSpec.workerPoolSpecs.0.containerSpec"
RUN_URI = f"gs://prod-models/runs/{GOLDEN_RUN}"
HONOURED: Mapping[str, tuple[TrainingJob, str, Any]] = {
    "image by digest": (replace(JOB, image=OTHER), f"{CONTAINER_SPEC}.imageUri", OTHER),
    "the target's image": (JOB, f"{CONTAINER_SPEC}.imageUri", IMAGE),
    "command, run id, parameters, input and output": (
        replace(JOB, command=("evaluate",), parameters={"a": [1, "é"]}),
        f"{CONTAINER_SPEC}.args",
        [
            *("evaluate", "--run-id", GOLDEN_RUN, "--parameters", '{"a":[1,"é"]}'),
            *("--input", "dataset=gs://prod-data/datasets/cd", "--output", f"{RUN_URI}/output"),
        ],
    ),
    "model and checkpoints": (JOB, "jobSpec.baseOutputDirectory.outputUriPrefix", RUN_URI),
    "no gpu": (JOB, f"{POOL}.machineSpec", {"machineType": "n2-standard-8"}),
    "gpu size and count": (
        replace(JOB, compute=Compute(gpu="a100-80", gpu_count=8)),
        f"{POOL}.machineSpec",
        {"machineType": "a2-ultragpu-8g", "acceleratorType": "NVIDIA_A100_80GB", "acceleratorCount": 8},
    ),
    "the leading node": (replace(JOB, compute=replace(L4, nodes=3)), f"{POOL}.replicaCount", "1"),
    "the other nodes": (
        replace(JOB, compute=replace(L4, nodes=3)),
        "jobSpec.workerPoolSpecs.1.replicaCount",
        "2",
    ),
    "spot": (
        replace(JOB, compute=replace(L4, spot=True)),
        "jobSpec.scheduling",
        {"strategy": "SPOT", "timeout": "86400s", "restartJobOnWorkerRestart": True},
    ),
    "a day where no time limit is asked for": (
        JOB,
        "jobSpec.scheduling",
        {"strategy": "STANDARD", "timeout": "86400s"},
    ),
    "time limit": (
        replace(JOB, compute=Compute(max_runtime_s=60)),
        "jobSpec.scheduling",
        {"strategy": "STANDARD", "timeout": "60s"},
    ),
    "customer-managed key": (JOB, "encryptionSpec.kmsKeyName", KEY),
    "private network": (JOB, "jobSpec.network", "projects/123456789012/global/networks/prod"),
    "identity": (JOB, "jobSpec.serviceAccount", "prod-training@hospital.iam.gserviceaccount.com"),
    "environment": (
        replace(JOB, environment={"A": "b"}),
        f"{CONTAINER_SPEC}.env.0",
        {"name": "A", "value": "b"},
    ),
    "labels": (
        replace(JOB, labels={"model": "Chest X-ray", "data-classification": "pseudonymised"}),
        "labels",
        {
            "data-classification": "pseudonymised",
            "environment": "prod",
            "owner": "imaging",
            "isocenter-attempt": "1",
            "isocenter-run": GOLDEN_RUN.lower(),
            "model": "chest-x-ray",
        },
    ),
}


@pytest.mark.parametrize("what", HONOURED)
def test_what_a_job_asks_for_is_in_the_request(what: str) -> None:
    job, path, expected = HONOURED[what]
    request = backend_for(descriptor()).plan(job, GOLDEN_RUN).request
    assert request["parent"] == "projects/hospital/locations/europe-west4"
    assert as_google_writes_it(request["customJob"]) == request["customJob"]
    value: Any = request["customJob"]
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    if path == "labels":  # the digest of this very request
        value = {key: text for key, text in value.items() if key != "isocenter-request"}
    assert value == expected


def as_google_writes_it(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body parsed into the library's message, checked as the service does, and written again."""
    pytest.importorskip("google.cloud.aiplatform_v1", reason="LACKS: pip install 'isocenter[gcp]'")
    from google.cloud.aiplatform_v1 import CustomJob
    from google.protobuf.json_format import MessageToDict, ParseDict

    from isocenter.emulators.gcp.custom_job_check import check_custom_job

    message = ParseDict(body, CustomJob.pb(CustomJob()))
    check_custom_job(message, "europe-west4")
    found: dict[str, Any] = MessageToDict(message)
    return found


def test_network_attachment_and_disk_of_the_deployments_settings() -> None:
    attachment = "projects/hospital/regions/europe-west4/networkAttachments/prod"
    own = {"network_attachment": attachment, "boot_disk_gb": 500, "cpu_machine": "c2-standard-16"}
    place = descriptor(settings={**descriptor().settings, **own})
    body = backend_for(place).plan(JOB, GOLDEN_RUN).request["customJob"]
    assert as_google_writes_it(body) == body
    assert body["jobSpec"]["pscInterfaceConfig"] == {"networkAttachment": attachment}
    assert "network" not in body["jobSpec"]
    (pool,) = body["jobSpec"]["workerPoolSpecs"]
    assert pool["diskSpec"] == {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 500}
    assert pool["machineSpec"] == {"machineType": "c2-standard-16"}


REFUSED: Mapping[str, tuple[TrainingJob, str]] = {
    "tag": (replace(JOB, image="registry/training:1.0"), "digest"),
    "count that nobody sells": (
        replace(JOB, compute=Compute(gpu="a100-80", gpu_count=3)),
        "Nearest that it sells: a100-80 x 2, a100-80 x 4, ",
    ),
    "longer than any service": (replace(JOB, compute=Compute(max_runtime_s=8 * 86_400)), "a week"),
    "no time at all": (replace(JOB, compute=Compute(max_runtime_s=0)), "1 s to a week"),
    "gpu that the cloud lacks": (replace(JOB, compute=Compute(gpu="v9", gpu_count=1)), "Nearest"),
    "gpu that is not on offer": (replace(JOB, compute=Compute(gpu="h100", gpu_count=8)), "a100-80 x 8"),
    "count that is not on offer": (replace(JOB, compute=Compute(gpu="l4", gpu_count=4)), "l4 x 1"),
    "too many nodes": (replace(JOB, compute=replace(L4, nodes=9)), "4 machines at most"),
    "not on spot": (replace(JOB, compute=Compute("a100-80", 8, spot=True)), "not as spot"),
    "long argument": (replace(JOB, parameters={"a": "x" * 200_000}), "argument"),
    "long name": (replace(JOB, name="x" * 100), "too long"),
    "too many variables": (replace(JOB, environment={f"V{n}": "" for n in range(101)}), "100"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_run_is_refused_by_plan(what: str) -> None:
    job, said = REFUSED[what]
    with pytest.raises(InputError) as caught:
        backend_for(descriptor()).plan(job, GOLDEN_RUN)
    assert said in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("lacks", "said"),
    [("images", "no training image"), ("peered_network", "private network"), ("project", "no project")],
)
def test_what_the_deployment_lacks(lacks: str, said: str) -> None:
    settings = {name: value for name, value in descriptor().settings.items() if name != lacks}
    with pytest.raises(InputError, match=said):
        backend_for(descriptor(settings=settings)).plan(JOB, GOLDEN_RUN)


def test_plan_needs_no_sdk_and_submit_says_how_to_get_it() -> None:
    source = (
        "import sys; sys.modules['google.cloud'] = sys.modules['google.api_core'] = None\n"
        "import json; from isocenter.backends import load_backend; from isocenter.home import open_home\n"
        "from isocenter.domain.training_job import TrainingJob\n"
        "backend = load_backend('vertex', open_home(), json.loads(sys.argv[1]))\n"
        "from isocenter.domain.run import new_run_id\n"
        "from isocenter.errors import EnvironmentFaultError\n"
        "submission = backend.plan(TrainingJob('t', ('train',)), new_run_id())\n"
        "print(submission.request['customJob']['displayName'])\n"
        "try: backend.submit(submission)\n"
        "except EnvironmentFaultError as error: print(error.hint)\n"
    )
    place = descriptor()
    settings = json.dumps({**place.settings, "descriptor": place.model_dump(mode="json")})
    printed = subprocess.run(
        [sys.executable, "-c", source, settings], capture_output=True, text=True, check=False
    )
    assert printed.stdout.startswith("t-01"), printed.stderr
    assert printed.stdout.endswith("pip install 'isocenter[gcp]'\n"), printed.stderr


def test_labels_of_the_attempt_are_in_the_service(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    job = replace(program("print(1)"), labels={"model": "chest-xray"})
    handle = backend.submit(backend.plan(job, new_run_id()))
    wait(backend, handle)
    found = client(target).get_custom_job(name=handle.external_id)
    assert found.display_name == f"program-{handle.run.lower()}-1"
    assert found.labels["model"] == "chest-xray"
    assert found.labels["isocenter-run"] == handle.run.lower()
    assert found.encryption_spec.kms_key_name == target.keys["data"]
    assert found.job_spec.service_account == target.identities["training"]


def client(target: DeploymentDescriptor) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import JobServiceClient

    options = {"api_endpoint": target.endpoints["gcp"]}
    return JobServiceClient(credentials=AnonymousCredentials(), transport="rest", client_options=options)


def test_program_that_does_not_exist(backend: Backend) -> None:
    job = TrainingJob("program", ("--nonsense",))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, 2)
    assert "the following arguments are required: -c" in (status.reason or "")


def test_job_killed_by_a_signal_that_said_nothing(backend: Backend, program: Program) -> None:
    source = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    status = wait(backend, backend.submit(backend.plan(program(source), new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, 137)
    assert status.reason == "The replica workerpool0-0 exited with a non-zero status of 137."


def test_time_limit(backend: Backend, program: Program) -> None:
    job = replace(program("import time; time.sleep(60)"), compute=Compute(max_runtime_s=3))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert status == JobStatus(JobState.FAILED, reason="Stopped at its time limit.")


def test_spot_interruption_continues_from_the_checkpoint(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    job = replace(program(SAVES), compute=replace(L4, spot=True))
    handle = backend.submit(backend.plan(job, new_run_id()))
    lines = backend.logs(handle, follow=True)
    assert next(lines) == "begins"
    post(target.endpoints["gcp"], "/emulator/interrupt", job=handle.external_id)
    assert list(lines) == ["saved", "continues at 7"]
    assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)


def test_cancelled_run_continues_from_its_checkpoint_as_another_attempt(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    submission = backend.plan(program(SAVES), new_run_id())
    first = backend.submit(submission)
    assert next(backend.logs(first, follow=True)) == "begins"
    backend.cancel(first)
    assert wait(backend, first) == JobStatus(JobState.CANCELLED, reason="Stopped on request.")
    second = backend.submit(submission)
    assert wait(backend, second).state is JobState.SUCCEEDED
    assert list(backend.logs(second)) == ["continues at 7"]
    assert client(target).get_custom_job(name=second.external_id).labels["isocenter-attempt"] == "2"


def test_two_replicas_know_each_other(backend: Backend, program: Program) -> None:
    source = (
        "import json, os\n"
        "spec = json.loads(os.environ['CLUSTER_SPEC'])\n"
        "addresses = [a for pool in sorted(spec['cluster']) for a in spec['cluster'][pool]]\n"
        "print(spec['task']['type'], spec['task']['index'], len(set(addresses)))\n"
    )
    job = replace(program(source), compute=replace(L4, nodes=3))
    handle = backend.submit(backend.plan(job, new_run_id()))
    assert wait(backend, handle, seconds=60).state is JobState.SUCCEEDED
    assert sorted(backend.logs(handle)) == ["workerpool0 0 3", "workerpool1 0 3", "workerpool1 1 3"]


def test_one_of_two_replicas_fails(backend: Backend, program: Program) -> None:
    source = (
        "import json, os, sys, time\n"
        "leads = json.loads(os.environ['CLUSTER_SPEC'])['task']['type'] == 'workerpool0'\n"
        "time.sleep(60) if leads else sys.exit('Rank 1 fell.')\n"
    )
    job = replace(program(source), compute=replace(L4, nodes=2))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())), seconds=60)
    assert status == JobStatus(JobState.FAILED, 1, "Rank 1 fell.")


def test_many_lines_come_in_pages_and_once(backend: Backend, program: Program) -> None:
    source = "for n in range(2500): print(n, flush=n % 500 == 0)"
    handle = backend.submit(backend.plan(program(source), new_run_id()))
    assert list(backend.logs(handle, follow=True)) == [str(n) for n in range(2500)]


# What Google may answer instead, or not at all.


def refuse_creation(target: DeploymentDescriptor, **how: Any) -> None:
    """The next CreateCustomJob meets a fault."""
    body = json.dumps({"method": "POST", "path": "customJobs$", **how}).encode()
    with urlopen(Request(f"{target.endpoints['gcp']}/emulator/faults", body, method="POST"), timeout=10):
        pass


def test_throttled_and_unavailable_is_asked_again(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    told: list[str] = []
    patient = PatientBackend(backend, told=lambda fault, wait: told.append(fault.message))
    for status in (429, 503):
        refuse_creation(target, status=status)
    handle = patient.submit(patient.plan(program("print(1)"), new_run_id()))
    assert told == ["gcp-emulated is busy (HTTP 429).", "gcp-emulated failed inside (HTTP 503)."]
    assert wait(backend, handle).state is JobState.SUCCEEDED


def test_how_long_to_wait_is_heeded(backend: Backend, target: DeploymentDescriptor, program: Program) -> None:
    refuse_creation(target, status=429, retry_after="3")
    with pytest.raises(TransientFaultError) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert caught.value.retry_after_s == 3


@pytest.mark.parametrize("how", [{"drop": "after"}, {"delay_s": 1.5}])
def test_accepted_but_the_answer_is_lost(
    target: DeploymentDescriptor, program: Program, marks: Path, home: Home, how: dict[str, Any]
) -> None:
    """The job is found again by its name: it runs once."""
    hasty = backend_for(target, timeout_s=0.8)
    source = f"import os, time; open({str(marks)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(0.3)"
    submission = hasty.plan(program(source), new_run_id())
    hasty.cancel(JobHandle("vertex", submission.run, f"{submission.request['parent']}/customJobs/1"))
    refuse_creation(target, **how)
    with pytest.raises(TransientFaultError):
        hasty.submit(submission)
    time.sleep(how.get("delay_s", 0))
    handle = backend_for(target).submit(submission)
    assert wait(backend_for(target), handle).state is JobState.SUCCEEDED
    assert backend_for(target).submit(submission) == handle
    assert len(list(marks.iterdir())) == 1


def test_two_clients_at_once_start_one_job(
    target: DeploymentDescriptor, program: Program, home: Home
) -> None:
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
        (403, PolicyError, "may not start the job"),
        (400, InputError, "refuses to start the job"),
        (404, NotFoundError, "no such thing"),
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
    refuse_creation(target, status=status)
    with pytest.raises(kind, match=said) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert not isinstance(caught.value, TransientFaultError)


def test_a_project_that_the_account_may_not_use(
    target: DeploymentDescriptor, program: Program, home: Home
) -> None:
    """The role to ask for is named, from the permission in Google's message."""
    place = target.model_copy(update={"settings": {**target.settings, "project": "somebody-elses"}})
    backend = backend_for(place)
    with pytest.raises(PolicyError, match=r"lacks aiplatform\.customJobs\.list") as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert caught.value.hint == "Ask for the role Vertex AI User (roles/aiplatform.user)."


def test_refused_requests_are_the_users_to_mend(
    target: DeploymentDescriptor, program: Program, home: Home
) -> None:
    backend = backend_for(target.model_copy(update={"identities": {"training": "nobody"}}))
    with pytest.raises(InputError, match="No service account: nobody"):
        backend.submit(backend.plan(program("print(1)"), new_run_id()))


# Credentials of the SDK's standard chain, for a target that is no emulator.


def standing(target: DeploymentDescriptor) -> VertexBackend:
    return backend_for(target.model_copy(update={"emulated": False}))


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return monkeypatch


TOKEN = {
    "access_token": "hunter2",
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "token_type": "Bearer",
    "expires_in": 3600,
}


class TokenServer(BaseHTTPRequestHandler):
    """Google's sign-in: the answer is the server's ``reply``."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.server.reply  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def sign_in(no_credentials: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HTTPServer]:
    """Workload identity federation, as CI and clusters elsewhere have it, whose token exchange is here."""
    server = HTTPServer(("127.0.0.1", 0), TokenServer)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    (tmp_path / "subject").write_text("subject")
    account = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://127.0.0.1:{server.server_port}/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    no_credentials.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    no_credentials.setenv("GOOGLE_CLOUD_PROJECT", "hospital")
    yield server
    server.shutdown()
    server.server_close()


def test_wrong_credentials(
    target: DeploymentDescriptor, program: Program, sign_in: HTTPServer, home: Home
) -> None:
    sign_in.reply = (200, TOKEN)  # type: ignore[attr-defined]
    backend = standing(target)
    with pytest.raises(EnvironmentFaultError, match="doesn't accept the credentials") as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert "hunter2" not in str(caught.value)
    assert "gcloud auth application-default login" in caught.value.hint


def test_expired_credentials(
    target: DeploymentDescriptor, program: Program, sign_in: HTTPServer, home: Home
) -> None:
    sign_in.reply = (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )  # type: ignore[attr-defined]
    backend = standing(target)
    submission = backend.plan(program("print(1)"), new_run_id())
    with pytest.raises(EnvironmentFaultError, match="expired or revoked") as caught:
        backend.submit(submission)
    assert not isinstance(caught.value, TransientFaultError)
    name = f"{submission.request['parent']}/customJobs/1"
    assert backend.status(JobHandle("vertex", submission.run, name)).state is JobState.UNKNOWN


def test_no_credentials(
    target: DeploymentDescriptor, program: Program, no_credentials: pytest.MonkeyPatch, home: Home
) -> None:
    backend = standing(target)
    with pytest.raises(EnvironmentFaultError, match="no Google credentials"):
        backend.submit(backend.plan(program("print(1)"), new_run_id()))


def test_the_server_is_killed_in_the_middle_and_comes_back(
    program: Program, marks: Path, home: Home, tmp_path: Path
) -> None:
    """The job goes on; who follows its log sees all of it, and the same run is found again."""
    from isocenter.emulators import serve

    began = serve.detach(home, "gcp", program=CONTAINER)
    try:
        target = began.descriptor
        backend = backend_for(target, timeout_s=5)
        source = (
            "import os, pathlib, time\n"
            "print('first', flush=True)\n"
            f"while not pathlib.Path({str(marks / 'go')!r}).exists(): time.sleep(0.01)\n"
            "open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('x')\n"
            "print('last')\n"
        )
        submission = backend.plan(program(source), new_run_id())
        handle = backend.submit(submission)
        lines = PatientBackend(backend).logs(handle, follow=True)
        assert next(lines) == "first"
        os.kill(began.pid, signal.SIGKILL)
        os.waitpid(began.pid, 0)
        assert backend.status(handle).state is JobState.UNKNOWN
        with pytest.raises(TransientFaultError):
            backend.submit(submission)
        (marks / "go").touch()
        again = serve.detach(home, "gcp", program=CONTAINER)
        assert again.pid != began.pid
        assert again.descriptor.endpoints == target.endpoints
        assert list(lines) == ["last"]
        assert wait(backend, handle, seconds=90) == JobStatus(JobState.SUCCEEDED, exit_code=0)
        assert backend.submit(submission) == handle
        assert [artifact.name for artifact in backend.outputs(handle)] == ["model"]
    finally:
        serve.stop(home, "gcp")
