"""The SageMaker backend passes the contract against an emulator that runs its jobs, through boto3."""

import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.backends import Backend, load_backend
from isocenter.backends.aws_calls import aws_client
from isocenter.backends.patient import PatientBackend
from isocenter.backends.sagemaker import SageMakerBackend
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, PolicyError, TransientFaultError
from isocenter.home import Home
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from contract import GOLDEN_RUN, BackendContract, Place, Program, wait
from emulated import emulator, no_faults, post

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/isocenter/training@sha256:" + "ab" * 32
# What the image's entry point does, around a program of a test.
CONTAINER = """
import os, pathlib, sys
from isocenter_training.contract import detect
from isocenter_training.contract.failure import leave_reason
given = dict(os.environ)
os.environ.update(detect(given).environment())
try:
    exec(compile(pathlib.Path(sys.argv[1]).read_text(), "program", "exec"), {"__name__": "__main__"})
except SystemExit as end:
    if isinstance(end.code, str):
        leave_reason(given, end.code.rpartition("\\n\\n")[2])
    raise
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


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A deployment as `make deploy` leaves it behind."""
    values: dict[str, Any] = {
        "name": "aws-prod",
        "provider": "aws",
        "backend": "sagemaker",
        "region": "eu-central-1",
        "residency": "eu",
        "buckets": {"data": "s3://prod-data", "models": "s3://prod-models"},
        "keys": {"data": "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222"},
        "identities": {"training": "arn:aws:iam::123456789012:role/aws-prod-training"},
        "network": {"id": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]},
        "gpu": [
            {"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "ml.g6.2xlarge", "spot": True},
            {"size": "a100-80", "per_node": 8, "max_nodes": 1, "machine": "ml.p4de.24xlarge"},
        ],
        "labels": {"owner": "imaging", "environment": "prod", "data-classification": "phi"},
        "settings": {"images": {"training": IMAGE}},
    }
    return DeploymentDescriptor.model_validate(values | fields)


def backend_for(place: DeploymentDescriptor, **settings: Any) -> SageMakerBackend:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return SageMakerBackend(Home(Path("/srv/isocenter")), described)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The emulated target; the image's entry point is ``env``, so that a command is a program."""
    pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")
    store = tmp_path_factory.mktemp("aws") / "store"
    with emulator("aws", store, ["/usr/bin/env"]) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["aws"])


@pytest.fixture
def backend(target: DeploymentDescriptor, home: Home) -> Backend:
    settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
    return load_backend("sagemaker", home, settings)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """An argument has 256 characters at most, so the program is a file."""

    def make(source: str) -> TrainingJob:
        container, path = tmp_path / "container.py", tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        container.write_text(CONTAINER)
        path.write_text(source)
        return TrainingJob("program", (sys.executable, str(container), str(path)))

    return make


class TestSageMakerBackend(BackendContract):
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
        """Each field of the request as DescribeTrainingJob and ListTags show it."""
        assert self.target is not None
        client = aws_client(self.target, "sagemaker")
        job = client.describe_training_job(TrainingJobName=handle.external_id)
        tags = client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
        job["Tags"] = sorted(tags, key=lambda tag: str(tag["Key"]))
        return {field: job[field] for field in submission.request}

    @pytest.fixture
    def job(self) -> TrainingJob:
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": "s3://prod-data/datasets/" + "cd" * 32},
            parameters={"plan": {"name": "small", "seed": 7, "rate": 0.002}, "threads": None},
            environment={"OMP_NUM_THREADS": "2"},
            labels={"model": "chest-xray"},
            compute=Compute(gpu="l4", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600),
        )

    @pytest.fixture
    def place(self, target: DeploymentDescriptor) -> Place:
        s3 = aws_client(target, "s3")

        def put(folder: Path) -> str:
            for path in folder.rglob("*"):
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    s3.upload_file(str(path), f"{target.name}-data", f"datasets/{folder.name}/{name}")
            return f"{target.buckets['data']}/datasets/{folder.name}"

        return put

    @pytest.fixture(autouse=True)
    def reads_s3(self, request: pytest.FixtureRequest) -> None:
        self.target = request.getfixturevalue("target") if "backend" in request.fixturenames else None

    def files_of(self, artifact: Artifact) -> dict[str, bytes]:
        assert self.target is not None
        bucket, _, key = artifact.uri.removeprefix("s3://").partition("/")
        body = aws_client(self.target, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
            files = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
            return {name: stream.read() for name, stream in files.items() if stream is not None}


# What a job or its target asks for -> where CreateTrainingJob says it.
JOB = TrainingJob("train", ("train",), inputs={"dataset": "s3://prod-data/datasets/cd"})
L4 = Compute(gpu="l4", gpu_count=1)
OTHER = IMAGE.replace("ab", "cd")
HONOURED: Mapping[str, tuple[TrainingJob, str, Any]] = {
    "image by digest": (replace(JOB, image=OTHER), "AlgorithmSpecification.TrainingImage", OTHER),
    "the target's image": (JOB, "AlgorithmSpecification.TrainingImage", IMAGE),
    "program": (replace(JOB, command=("evaluate",)), "HyperParameters.program", "evaluate"),
    "command": (
        replace(JOB, command=("python", "-m", "x")),
        "AlgorithmSpecification.ContainerArguments",
        ["python", "-m", "x"],
    ),
    "parameters": (replace(JOB, parameters={"a": [1, "é"]}), "HyperParameters.parameters", '{"a":[1,"é"]}'),
    "long parameters": (
        replace(JOB, parameters={"a": "x" * 5000}),
        "HyperParameters.parameters_2",
        'xxxxxx"}',
    ),
    "run id": (JOB, "HyperParameters.run_id", GOLDEN_RUN),
    "input": (
        JOB,
        "InputDataConfig.0.DataSource.S3DataSource.S3Uri",
        "s3://prod-data/datasets/cd/",
    ),
    "channel": (JOB, "InputDataConfig.0.ChannelName", "dataset"),
    "output": (JOB, "OutputDataConfig.S3OutputPath", f"s3://prod-models/runs/{GOLDEN_RUN}/output"),
    "checkpoints": (JOB, "CheckpointConfig.S3Uri", f"s3://prod-models/runs/{GOLDEN_RUN}/checkpoints"),
    "no gpu": (JOB, "ResourceConfig.InstanceType", "ml.m7i.2xlarge"),
    "gpu size and count": (
        replace(JOB, compute=Compute(gpu="a100-80", gpu_count=8)),
        "ResourceConfig.InstanceType",
        "ml.p4de.24xlarge",
    ),
    "nodes": (replace(JOB, compute=replace(L4, nodes=3)), "ResourceConfig.InstanceCount", 3),
    "spot": (replace(JOB, compute=replace(L4, spot=True)), "EnableManagedSpotTraining", True),
    "time on spot machines": (
        replace(JOB, compute=replace(L4, spot=True, max_runtime_s=60)),
        "StoppingCondition.MaxWaitTimeInSeconds",
        86_460,
    ),
    "time limit": (
        replace(JOB, compute=Compute(max_runtime_s=60)),
        "StoppingCondition",
        {"MaxRuntimeInSeconds": 60},
    ),
    "key of outputs": (JOB, "OutputDataConfig.KmsKeyId", descriptor().keys["data"]),
    "key of disks": (JOB, "ResourceConfig.VolumeKmsKeyId", descriptor().keys["data"]),
    "private subnets": (JOB, "VpcConfig.Subnets", ["subnet-1", "subnet-2"]),
    "security groups": (JOB, "VpcConfig.SecurityGroupIds", ["sg-1"]),
    "network isolation": (JOB, "EnableNetworkIsolation", True),
    "encryption between machines": (JOB, "EnableInterContainerTrafficEncryption", True),
    "identity": (JOB, "RoleArn", "arn:aws:iam::123456789012:role/aws-prod-training"),
    "environment": (replace(JOB, environment={"A": "b"}), "Environment.A", "b"),
    "labels": (
        replace(JOB, labels={"model": "chest-xray", "data-classification": "pseudonymised"}),
        "Tags",
        [
            {"Key": "data-classification", "Value": "pseudonymised"},
            {"Key": "environment", "Value": "prod"},
            {"Key": "isocenter-run", "Value": GOLDEN_RUN.lower()},
            {"Key": "model", "Value": "chest-xray"},
            {"Key": "owner", "Value": "imaging"},
        ],
    ),
}


@pytest.mark.parametrize("what", HONOURED)
def test_what_a_job_asks_for_is_in_the_request(what: str) -> None:
    job, path, expected = HONOURED[what]
    request = backend_for(descriptor()).plan(job, GOLDEN_RUN).request
    check_with_botocore(request)
    value: Any = request
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    assert value == expected


def check_with_botocore(request: Mapping[str, Any]) -> None:
    """As boto3's client does before it sends anything, and as the service does with patterns and bounds."""
    from botocore.validate import validate_parameters

    from isocenter.emulators.aws.placement import check_rules
    from isocenter.emulators.aws.request_check import check_request, service_model

    validate_parameters(request, service_model().operation_model("CreateTrainingJob").input_shape)
    check_request("CreateTrainingJob", request)
    check_rules(request)


def test_machines_with_disks_of_their_own_take_no_key() -> None:
    request = backend_for(descriptor()).plan(replace(JOB, compute=L4), GOLDEN_RUN).request
    assert "VolumeKmsKeyId" not in request["ResourceConfig"]


REFUSED: Mapping[str, tuple[TrainingJob, str]] = {
    "tag": (replace(JOB, image="registry/training:1.0"), "digest"),
    "count that nobody sells": (
        replace(JOB, compute=Compute(gpu="a100-80", gpu_count=3)),
        "Nearest that it sells: a100-80 x 8. The target aws-prod offers: l4 x 1, ",
    ),
    "longer than any service": (replace(JOB, compute=Compute(max_runtime_s=8 * 86_400)), "a week"),
    "no time at all": (replace(JOB, compute=Compute(max_runtime_s=0)), "1 s to a week"),
    "gpu that the cloud lacks": (replace(JOB, compute=Compute(gpu="v9", gpu_count=1)), "Nearest"),
    "gpu that is not on offer": (replace(JOB, compute=Compute(gpu="h100", gpu_count=8)), "a100-80 x 8"),
    "count that is not on offer": (replace(JOB, compute=Compute(gpu="l4", gpu_count=4)), "l4 x 1"),
    "too many nodes": (replace(JOB, compute=replace(L4, nodes=9)), "4 machines at most"),
    "not on spot": (replace(JOB, compute=Compute("a100-80", 8, spot=True)), "not as spot"),
    "input elsewhere": (replace(JOB, inputs={"dataset": "/data"}), "not in S3"),
    "long variable": (replace(JOB, environment={"A": "x" * 513}), "512"),
    "long argument": (replace(JOB, command=("python", "x" * 257)), "256"),
    "label": (replace(JOB, labels={"a": "b;c"}), "tag"),
    "endless parameters": (replace(JOB, parameters={"a": "x" * 300_000}), "fewer"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_run_is_refused_by_plan(what: str) -> None:
    job, said = REFUSED[what]
    with pytest.raises(InputError) as caught:
        backend_for(descriptor()).plan(job, GOLDEN_RUN)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_neither_job_nor_target_names_an_image() -> None:
    with pytest.raises(InputError, match="names no image"):
        backend_for(descriptor(settings={})).plan(JOB, GOLDEN_RUN)


def test_plan_needs_no_sdk() -> None:
    """Neither does the command line's help: boto3 is imported when AWS is asked."""
    source = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "import json; from isocenter.backends import load_backend; from isocenter.home import open_home\n"
        "from isocenter.domain.training_job import TrainingJob\n"
        "settings = json.loads(sys.argv[1])\n"
        "backend = load_backend('sagemaker', open_home(), settings)\n"
        "from isocenter.domain.run import new_run_id\n"
        "print(backend.plan(TrainingJob('t', ('train',)), new_run_id()).request['TrainingJobName'])\n"
    )
    place = descriptor()
    settings = json.dumps({**place.settings, "descriptor": place.model_dump(mode="json")})
    printed = subprocess.run(
        [sys.executable, "-c", source, settings], capture_output=True, text=True, check=False
    )
    assert printed.stdout.startswith("aws-prod-01"), printed.stderr


def test_customer_key_role_and_tags_are_in_the_service(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    job = replace(program("print(1)"), labels={"model": "chest-xray"})
    handle = backend.submit(backend.plan(job, new_run_id()))
    wait(backend, handle)
    sagemaker = aws_client(target, "sagemaker")
    found = sagemaker.describe_training_job(TrainingJobName=handle.external_id)
    assert found["OutputDataConfig"]["KmsKeyId"] == target.keys["data"]
    tags = sagemaker.list_tags(ResourceArn=found["TrainingJobArn"])["Tags"]
    assert {"Key": "model", "Value": "chest-xray"} in tags
    bucket, _, key = found["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    head = aws_client(target, "s3").head_object(Bucket=bucket, Key=key)
    assert head["SSEKMSKeyId"] == target.keys["data"]


def test_reason_that_was_left_in_the_log_only(backend: Backend, program: Program) -> None:
    source = "import os; os.write(2, b'The disk is flat.\\n'); os._exit(9)"
    status = wait(backend, backend.submit(backend.plan(program(source), new_run_id())))
    assert status == JobStatus(JobState.FAILED, 9, "The disk is flat.")


def test_program_that_does_not_exist(backend: Backend) -> None:
    job = TrainingJob("program", ("/no/such/program", "x"))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, 127)
    assert "No such file" in (status.reason or "")


def test_input_that_is_not_there(backend: Backend, target: DeploymentDescriptor, program: Program) -> None:
    job = replace(program("print(1)"), inputs={"dataset": f"{target.buckets['data']}/nothing"})
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert status.state is JobState.FAILED
    assert "No S3 objects found" in (status.reason or "")


def test_time_limit(backend: Backend, program: Program) -> None:
    job = replace(program("import time; time.sleep(60)"), compute=Compute(max_runtime_s=1))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert status == JobStatus(JobState.FAILED, reason="Stopped at its time limit.")


def test_spot_interruption_continues_from_the_checkpoint(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    job = replace(program(SAVES), compute=Compute(spot=True))
    handle = backend.submit(backend.plan(job, new_run_id()))
    lines = backend.logs(handle, follow=True)
    assert next(lines) == "begins"
    post(target.endpoints["aws"], "/emulator/interrupt", job=handle.external_id)
    assert list(lines) == ["saved", "continues at 7"]
    assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)
    found = aws_client(target, "sagemaker").describe_training_job(TrainingJobName=handle.external_id)
    phases = [each["Status"] for each in found["SecondaryStatusTransitions"]]
    assert phases.count("Training") == 2
    assert "Interrupted" in phases


def test_two_machines_meet(backend: Backend, program: Program) -> None:
    source = (
        "import json, os, pathlib\n"
        "root = pathlib.Path(os.environ['ISOCENTER_SAGEMAKER_ROOT'])\n"
        "found = json.loads((root / 'input/config/resourceconfig.json').read_text())\n"
        "rank = found['hosts'].index(found['current_host'])\n"
        "(root / 'model' / str(rank)).write_text(found['current_instance_type'])\n"
        "print(rank, len(found['hosts']))\n"
    )
    job = replace(program(source), compute=Compute(nodes=2))
    handle = backend.submit(backend.plan(job, new_run_id()))
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert sorted(backend.logs(handle)) == ["0 2", "1 2"]


def test_one_of_two_machines_fails(backend: Backend, program: Program) -> None:
    source = (
        "import json, os, pathlib, sys, time\n"
        "root = pathlib.Path(os.environ['ISOCENTER_SAGEMAKER_ROOT'])\n"
        "found = json.loads((root / 'input/config/resourceconfig.json').read_text())\n"
        "sys.exit('Rank 1 fell.') if found['current_host'] == found['hosts'][1] else time.sleep(60)\n"
    )
    job = replace(program(source), compute=Compute(nodes=2))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert status == JobStatus(JobState.FAILED, 1, "Rank 1 fell.")


# What AWS may answer instead, or not at all.


def test_throttled_and_unavailable_is_asked_again(
    backend: Backend, target: DeploymentDescriptor, program: Program
) -> None:
    told: list[str] = []
    patient = PatientBackend(backend, told=lambda fault, wait: told.append(fault.message))
    for status in (429, 503):
        post(target.endpoints["aws"], "/emulator/faults", header="CreateTrainingJob", status=status)
    handle = patient.submit(patient.plan(program("print(1)"), new_run_id()))
    assert ["Throttling" in told[0], "ServiceUnavailable" in told[1]] == [True, True]
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert handle.external_id.endswith("-1")


def test_how_long_to_wait_is_heeded(backend: Backend, target: DeploymentDescriptor, program: Program) -> None:
    post(target.endpoints["aws"], "/emulator/faults", header="Describe", status=429, retry_after="3")
    with pytest.raises(TransientFaultError) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert caught.value.retry_after_s == 3


@pytest.mark.parametrize("how", [{"drop": "after"}, {"delay_s": 1.0}])
def test_accepted_but_the_answer_is_lost(
    target: DeploymentDescriptor, program: Program, marks: Path, how: dict[str, Any]
) -> None:
    """The training job is found again by its name: it runs once."""
    backend = backend_for(target, read_timeout_s=0.5)
    source = f"import os, time; open({str(marks)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(0.3)"
    submission = backend.plan(program(source), new_run_id())
    backend.status(JobHandle("sagemaker", submission.run, submission.request["TrainingJobName"]))
    post(target.endpoints["aws"], "/emulator/faults", header="CreateTrainingJob", **how)
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
        (401, EnvironmentFaultError, "credentials"),
        (419, EnvironmentFaultError, "ExpiredTokenException"),
        (403, PolicyError, "may not sagemaker:CreateTrainingJob"),
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
    post(target.endpoints["aws"], "/emulator/faults", header="CreateTrainingJob", status=status)
    with pytest.raises(kind) as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert said in str(caught.value)
    assert not isinstance(caught.value, TransientFaultError)


def standing(target: DeploymentDescriptor) -> SageMakerBackend:
    """As for a target that is no emulator: with the credentials of the SDK's chain."""
    return backend_for(target.model_copy(update={"emulated": False}))


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return monkeypatch


def test_wrong_credentials(
    target: DeploymentDescriptor, program: Program, no_credentials: pytest.MonkeyPatch
) -> None:
    no_credentials.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    no_credentials.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    address = target.endpoints["aws"]
    post(address, "/emulator/faults", status=401, header="authorization: .*=AKIAWRONG/", times=2)
    backend = standing(target)
    submission = backend.plan(program("print(1)"), new_run_id())
    with pytest.raises(EnvironmentFaultError) as caught:
        backend.submit(submission)
    assert "UnrecognizedClientException" in caught.value.message
    assert "hunter2" not in str(caught.value)
    handle = JobHandle("sagemaker", submission.run, submission.request["TrainingJobName"])
    assert backend.status(handle).state is JobState.UNKNOWN


def test_no_credentials_or_no_such_profile(
    target: DeploymentDescriptor, program: Program, no_credentials: pytest.MonkeyPatch
) -> None:
    submission = standing(target).plan(program("print(1)"), new_run_id())
    with pytest.raises(EnvironmentFaultError, match="no usable AWS credentials"):
        standing(target).submit(submission)
    no_credentials.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(EnvironmentFaultError, match="no usable AWS credentials"):
        standing(target).submit(submission)


def test_refused_requests_are_the_users_to_mend(target: DeploymentDescriptor, program: Program) -> None:
    place = target.model_copy(update={"identities": {"training": "arn:aws:iam::123456789012:role/nobody"}})
    backend = backend_for(place)
    with pytest.raises(InputError, match="Could not assume role"):
        backend.submit(backend.plan(program("print(1)"), new_run_id()))


FRONT = """
import json, signal, sys
from pathlib import Path
from isocenter.emulators.aws.emulator import AwsEmulator
folder, upstream, port = sys.argv[1:]
emulator = AwsEmulator(Path(folder), ["/usr/bin/env"], upstream=upstream)
descriptor = emulator.start("aws-emulated", int(port))
print(descriptor.model_dump_json(), flush=True)
signal.pause()
"""


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts SageMaker's front in a process of its own, on a moto that outlives it."""
    from isocenter.emulators.aws.moto_server import MotoServer

    moto = MotoServer("", tmp_path / "moto.log")
    started: list[subprocess.Popen[str]] = []

    def start(port: int = 0) -> "subprocess.Popen[str]":
        words = [sys.executable, "-c", FRONT, str(tmp_path / "scratch"), moto.address, str(port)]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    moto.close()


def described(process: "subprocess.Popen[str]") -> DeploymentDescriptor:
    assert process.stdout is not None
    return DeploymentDescriptor.model_validate_json(process.stdout.readline())


def test_the_server_is_killed_in_the_middle_and_comes_back(
    front: Callable[..., "subprocess.Popen[str]"], program: Program, marks: Path
) -> None:
    """The job goes on; who follows its log sees all of it, and the same run is found again."""
    server = front()
    target = described(server)
    backend = backend_for(target)
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
    server.kill()
    server.wait()
    assert backend.status(handle).state is JobState.UNKNOWN
    with pytest.raises(TransientFaultError):
        backend.submit(submission)
    (marks / "go").touch()
    threading.Timer(0.5, front, [int(target.endpoints["aws"].rpartition(":")[2])]).start()
    assert list(lines) == ["last"]
    assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)
    assert backend.submit(submission) == handle
    assert [artifact.name for artifact in backend.outputs(handle)] == ["model"]
