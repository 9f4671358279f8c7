"""The emulated AWS: it refuses what SageMaker refuses, runs jobs under /opt/ml, and passes on all else."""

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

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.emulators.aws.request_check import answer_faults, check_request
from isocenter.emulators.aws.service_error import ServiceError
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor

sys.path.insert(0, str(Path(__file__).parent))
from emulated import emulator, post

GRACE_S = 1.0


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    running = AwsEmulator(tmp_path_factory.mktemp("aws"), ["/usr/bin/env"], stop_grace_s=GRACE_S)
    yield running.start("aws-emulated", 0)
    running.close()


def client(target: DeploymentDescriptor, service: str, **config: Any) -> Any:
    return boto3.client(
        service,
        region_name=target.region,
        endpoint_url=target.endpoints["aws"],
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture
def sagemaker(target: DeploymentDescriptor) -> Iterator[Any]:
    made = client(target, "sagemaker")
    yield made
    made.close()


@pytest.fixture
def s3(target: DeploymentDescriptor) -> Iterator[Any]:
    made = client(target, "s3")
    yield made
    made.close()


def request_for(target: DeploymentDescriptor, name: str, **changes: Any) -> dict[str, Any]:
    """The least that a training job needs."""
    return {
        "TrainingJobName": name,
        "RoleArn": target.identities["training"],
        "AlgorithmSpecification": {
            "TrainingImage": "i@sha256:" + "0" * 64,
            "TrainingInputMode": "File",
            "ContainerArguments": ["true"],
        },
        "OutputDataConfig": {"S3OutputPath": f"{target.buckets['models']}/{name}"},
        "ResourceConfig": {"InstanceType": "ml.m7i.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """The algorithm that is a Python program."""

    def make(source: str) -> dict[str, Any]:
        path = tmp_path / "program.py"
        path.write_text(source)
        return {
            "AlgorithmSpecification": {
                "TrainingImage": "i@sha256:" + "0" * 64,
                "TrainingInputMode": "File",
                "ContainerArguments": [sys.executable, str(path)],
            }
        }

    return make


def ended(sagemaker: Any, name: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        found: Mapping[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        if found["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


WRONG: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "unknown member": ({"Spot": True}, "ValidationException", "Unknown member 'Spot'"),
    "unknown member inside": (
        {"ResourceConfig": {"InstanceType": "ml.m7i.2xlarge", "InstanceCount": 1, "Gpu": 1}},
        "ValidationException",
        "Unknown member 'Gpu' at 'resourceConfig'",
    ),
    "missing": (
        {"RoleArn": None},
        "ValidationException",
        "'roleArn' failed to satisfy constraint: Member must",
    ),
    "type": ({"StoppingCondition": {"MaxRuntimeInSeconds": "6h"}}, "SerializationException", "integer"),
    "a number for a truth": ({"EnableNetworkIsolation": 1}, "SerializationException", "boolean"),
    "enum": (
        {"ResourceConfig": {"InstanceType": "ml.l4", "InstanceCount": 1, "VolumeSizeInGB": 1}},
        "ValidationException",
        "enum value set",
    ),
    "pattern": ({"TrainingJobName": "a_b"}, "ValidationException", "regular expression pattern"),
    "too long": ({"HyperParameters": {"a": "x" * 2501}}, "ValidationException", "less than or equal to 2500"),
    "too small": (
        {"StoppingCondition": {"MaxRuntimeInSeconds": 0}},
        "ValidationException",
        "greater than or equal to 1",
    ),
    "tag": ({"Tags": [{"Key": "a;b", "Value": "c"}]}, "ValidationException", "regular expression"),
    "no limit": ({"StoppingCondition": None}, "ValidationException", "StoppingCondition is required"),
    "no disk": (
        {"ResourceConfig": {"InstanceType": "ml.m7i.2xlarge", "InstanceCount": 1}},
        "ValidationException",
        "VolumeSizeInGB is required",
    ),
    "key on a machine's own disks": (
        {
            "ResourceConfig": {
                "InstanceType": "ml.g6.2xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
                "VolumeKmsKeyId": "k",
            }
        },
        "ValidationException",
        "local storage",
    ),
    "spot without a wait": (
        {"EnableManagedSpotTraining": True},
        "ValidationException",
        "MaxWaitTimeInSeconds",
    ),
    "a role that isn't": (
        {"RoleArn": "arn:aws:iam::123456789012:role/nobody"},
        "ValidationException",
        "Could not assume role",
    ),
    "a subnet that isn't": (
        {"VpcConfig": {"Subnets": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}},
        "ValidationException",
        "subnet",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_sagemaker_refuses(target: DeploymentDescriptor, what: str) -> None:
    """Sent by a client that checks nothing itself; botocore reads the answer as an error of the service."""
    changes, code, said = WRONG[what]
    body = {
        name: value for name, value in request_for(target, "refused", **changes).items() if value is not None
    }
    answer = raw(target, "CreateTrainingJob", body)
    assert (answer["status"], answer["__type"]) == (400, code)
    assert said in answer["message"]


def raw(target: DeploymentDescriptor, operation: str, body: Any) -> dict[str, Any]:
    """What is on the wire: a signed request, unchecked."""
    credential = f"Credential=emulated/20261124/{target.region}/sagemaker/aws4_request"
    headers = {
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    request = Request(target.endpoints["aws"], json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return {"status": answer.status, **json.loads(answer.read() or b"{}")}
    except HTTPError as error:
        with error:
            assert error.headers["x-amzn-ErrorType"]
            return {"status": error.code, **json.loads(error.read())}


def test_what_is_right_passes(target: DeploymentDescriptor) -> None:
    labels = [{"Key": "propriétaire", "Value": "imaging@hospital.example / 4711"}]
    check_request("CreateTrainingJob", request_for(target, "a-1", Tags=labels, Environment={"A": "b\nc"}))
    with pytest.raises(ServiceError):
        check_request("CreateTrainingJob", [])


def test_a_client_reads_the_error(target: DeploymentDescriptor) -> None:
    made = client(target, "sagemaker", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        made.create_training_job(TrainingJobName="a_b")
    made.close()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "validation errors detected" in caught.value.response["Error"]["Message"]


def test_anybodys_key_will_do(target: DeploymentDescriptor) -> None:
    """Nothing is known of identities: a profile of the user's own finds the same account."""
    given = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x"}
    session = boto3.Session(**given, aws_session_token="of a role", region_name=target.region)
    made = {name: session.client(name, endpoint_url=target.endpoints["aws"]) for name in ("sagemaker", "s3")}
    assert "TrainingJobSummaries" in made["sagemaker"].list_training_jobs()
    names = [each["Name"] for each in made["s3"].list_buckets()["Buckets"]]
    assert "aws-emulated-data" in names


@pytest.mark.parametrize("purpose", ["data", "models", "audit", "logs"])
def test_buckets_are_as_a_deployment_makes_them(target: DeploymentDescriptor, s3: Any, purpose: str) -> None:
    bucket = target.buckets[purpose].removeprefix("s3://")
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    assert default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": target.keys["data"]}
    assert rule["BucketKeyEnabled"] is True
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    assert len(closed) == 4
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="plain")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", target.keys["data"])


def test_unsigned_and_foreign_requests(target: DeploymentDescriptor) -> None:
    request = Request(
        target.endpoints["aws"], b"{}", {"X-Amz-Target": "SageMaker.ListTrainingJobs", "Content-Type": "x"}
    )
    with pytest.raises(HTTPError) as caught:
        urlopen(request, timeout=10)
    with caught.value as answer:
        assert answer.code == 403
    page = Request(target.endpoints["aws"], headers={"Origin": "https://elsewhere.example"})
    with pytest.raises(HTTPError) as caught:
        urlopen(page, timeout=10)
    caught.value.close()
    assert caught.value.code == 403


def test_the_answers_fit_the_model_at_every_moment(
    target: DeploymentDescriptor, sagemaker: Any, script: Callable[[str], dict[str, Any]]
) -> None:
    sagemaker.create_training_job(**request_for(target, "model-1", **script("import time; time.sleep(0.3)")))
    seen = set()
    while True:
        answer = raw(target, "DescribeTrainingJob", {"TrainingJobName": "model-1"})
        assert answer.pop("status") == 200
        assert answer_faults("DescribeTrainingJob", answer) == []
        seen.add(answer["TrainingJobStatus"])
        if "Completed" in seen:
            break
        time.sleep(0.02)
    assert seen == {"InProgress", "Completed"}
    listed = raw(target, "ListTrainingJobs", {"NameContains": "model-"})
    assert listed.pop("status") == 200
    assert answer_faults("ListTrainingJobs", listed) == []


def test_names_lists_and_tags(target: DeploymentDescriptor, sagemaker: Any) -> None:
    for number in range(3):
        made = sagemaker.create_training_job(
            **request_for(target, f"named-{number}", Tags=[{"Key": "a", "Value": "1"}])
        )
        ended(sagemaker, f"named-{number}")
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        sagemaker.create_training_job(**request_for(target, "named-0"))
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="named-", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    found = [each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]]
    assert found == ["named-0", "named-1", "named-2"]
    assert (
        sagemaker.list_training_jobs(StatusEquals="Failed", NameContains="named-")["TrainingJobSummaries"]
        == []
    )
    arn = made["TrainingJobArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "3"},
    ]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    with pytest.raises(ClientError, match="not found"):
        sagemaker.describe_training_job(TrainingJobName="no-such-job")
    with pytest.raises(ClientError, match="in status Completed"):
        sagemaker.stop_training_job(TrainingJobName="named-0")


def test_opt_ml(
    target: DeploymentDescriptor, sagemaker: Any, s3: Any, script: Callable[[str], dict[str, Any]]
) -> None:
    s3.put_object(Bucket="aws-emulated-data", Key="sets/1/deep/f", Body=b"pixels")
    s3.put_object(Bucket="aws-emulated-data", Key="sets/12/other", Body=b"no")
    source = (
        "import json, os, pathlib, sys\n"
        "root = pathlib.Path(os.environ['ISOCENTER_SAGEMAKER_ROOT'])\n"
        "found = {p.relative_to(root).as_posix(): p.read_text() for p in root.glob('input/config/*')}\n"
        "data = root / 'input/data/dataset'\n"
        "files = [path for path in data.rglob('*') if path.is_file()]\n"
        "found['data'] = {path.relative_to(data).as_posix(): path.read_text() for path in files}\n"
        "found['folders'] = sorted(p.name for p in root.iterdir())\n"
        "found['environment'] = dict(os.environ)\n"
        "(root / 'output/data/found.json').write_text(json.dumps(found))\n"
        "sys.exit(0)\n"
    )
    channel = {
        "ChannelName": "dataset",
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{target.buckets['data']}/sets/1/"}
        },
    }
    sagemaker.create_training_job(
        **request_for(
            target,
            "tree-1",
            **script(source),
            HyperParameters={"run_id": "R", "parameters": "{}"},
            InputDataConfig=[channel],
            Environment={"A": "b"},
        )
    )
    assert ended(sagemaker, "tree-1")["TrainingJobStatus"] == "Completed"
    found = json.loads(unpacked(s3, "tree-1/tree-1/output/output.tar.gz")["found.json"])
    assert found["data"] == {"deep/f": "pixels"}
    assert found["folders"] == ["checkpoints", "input", "model", "output"]
    assert json.loads(found["input/config/hyperparameters.json"]) == {"run_id": "R", "parameters": "{}"}
    assert json.loads(found["input/config/resourceconfig.json"])["hosts"] == ["algo-1"]
    assert json.loads(found["input/config/inputdataconfig.json"])["dataset"]["TrainingInputMode"] == "File"
    assert found["environment"]["TRAINING_JOB_NAME"] == "tree-1"
    assert found["environment"]["A"] == "b"


def unpacked(s3: Any, key: str) -> dict[str, bytes]:
    import io
    import tarfile

    body = s3.get_object(Bucket="aws-emulated-models", Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        streams = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def test_jobs_see_no_secrets_of_the_emulators_environment(
    target: DeploymentDescriptor,
    sagemaker: Any,
    script: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    source = "import os, sys; sys.exit(int('hunter2' in os.environ.values()))"
    sagemaker.create_training_job(**request_for(target, "secret-1", **script(source)))
    assert ended(sagemaker, "secret-1")["TrainingJobStatus"] == "Completed"


def test_checkpoints_are_in_s3_while_the_job_runs(
    target: DeploymentDescriptor, sagemaker: Any, s3: Any, script: Callable[[str], dict[str, Any]]
) -> None:
    source = (
        "import os, pathlib, time\n"
        "mark = pathlib.Path(os.environ['ISOCENTER_SAGEMAKER_ROOT']) / 'checkpoints/deep/epoch'\n"
        "mark.parent.mkdir(); mark.write_text('1'); time.sleep(60)\n"
    )
    kept = {"S3Uri": f"{target.buckets['models']}/kept"}
    sagemaker.create_training_job(**request_for(target, "kept-1", **script(source), CheckpointConfig=kept))
    deadline = time.monotonic() + 20
    while not s3.list_objects_v2(Bucket="aws-emulated-models", Prefix="kept/deep/epoch").get("Contents"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sagemaker.describe_training_job(TrainingJobName="kept-1")["SecondaryStatus"] == "Training"
    sagemaker.stop_training_job(TrainingJobName="kept-1")
    assert ended(sagemaker, "kept-1")["TrainingJobStatus"] == "Stopped"


def test_who_ignores_sigterm_is_killed_after_the_grace_time(
    target: DeploymentDescriptor, sagemaker: Any, script: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    up = tmp_path / "up"
    source = (
        "import signal, pathlib, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(up)!r}).write_text('x'); time.sleep(60)\n"
    )
    sagemaker.create_training_job(**request_for(target, "deaf-1", **script(source)))
    deadline = time.monotonic() + 20
    while not up.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    sagemaker.stop_training_job(TrainingJobName="deaf-1")
    assert sagemaker.describe_training_job(TrainingJobName="deaf-1")["TrainingJobStatus"] == "Stopping"
    assert ended(sagemaker, "deaf-1")["TrainingJobStatus"] == "Stopped"
    assert time.monotonic() - began >= GRACE_S


def test_only_spot_machines_are_taken_back(target: DeploymentDescriptor, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request_for(target, "firm-1"))
    for name in ("firm-1", "no-such-job"):
        with pytest.raises(HTTPError) as caught:
            post(target.endpoints["aws"], "/emulator/interrupt", job=name)
        caught.value.close()
        assert caught.value.code == 400


def test_all_else_is_motos(target: DeploymentDescriptor, s3: Any) -> None:
    body = os.urandom(9 << 20)
    key = "a folder/with + and ü.bin"
    s3.put_object(Bucket="aws-emulated-data", Key=key, Body=body)
    head = s3.head_object(Bucket="aws-emulated-data", Key=key)
    assert head["ContentLength"] == len(body)
    assert s3.get_object(Bucket="aws-emulated-data", Key=key, Range="bytes=3-6")["Body"].read() == body[3:7]
    assert s3.get_object(Bucket="aws-emulated-data", Key=key)["Body"].read() == body
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="aws-emulated-data", Key="nothing")
    sts = client(target, "sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    sts.close()


def test_what_moto_lacks_is_said_to_be_lacking(sagemaker: Any) -> None:
    with pytest.raises(ClientError):
        sagemaker.list_pipeline_execution_steps(PipelineExecutionArn="arn:aws:sagemaker:eu-central-1:1:x")


def test_fsspec_reaches_its_buckets(target: DeploymentDescriptor, tmp_path: Path) -> None:
    from isocenter.targets.file_system import target_files

    source = tmp_path / "big"
    source.write_bytes(os.urandom(6 << 20))
    uri = f"{target.buckets['data']}/fsspec/big"
    files = target_files(target, uri)
    files.put_file(str(source), uri)
    files.get_file(uri, str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert files.exists(uri)


def test_the_verb(tmp_path: Path, isocenter_cli: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """It makes a target that can be checked; a reset forgets the jobs; what is killed is said to be away."""
    store = tmp_path / "store"
    environ = os.environ | {"ISOCENTER_HOME": str(store), "ISOCENTER_DEPLOYMENTS": str(store / "deployments")}
    with emulator("aws", store, ["/bin/true"]) as printed:
        target = load_descriptor(Path(printed["descriptor"]))
        checked = isocenter_cli("target", "check", "aws-emulated", "--json", env=environ)
        assert checked.returncode == 0, checked.stdout
        made = client(target, "sagemaker")
        request = request_for(target, "verb-1")
        del request["AlgorithmSpecification"]["ContainerArguments"]
        made.create_training_job(**request)
        ended(made, "verb-1")
        with urlopen(Request(f"{target.endpoints['aws']}/moto-api/reset", method="POST"), timeout=10):
            pass
        assert made.list_training_jobs()["TrainingJobSummaries"] == []
        made.close()
        os.kill(printed["pid"], signal.SIGKILL)
    with pytest.raises(URLError):
        urlopen(target.endpoints["aws"], timeout=5)
    away = isocenter_cli("target", "check", "aws-emulated", env=environ)
    assert away.returncode == 7
    assert "The emulator of aws-emulated is not running." in away.stderr
    assert "isocenter emulate aws --detach" in away.stderr
    probes = json.loads(isocenter_cli("target", "check", "aws-emulated", "--json", env=environ).stdout)
    assert ["isocenter emulate aws --detach" in probe["said"] for probe in probes] == [True]
    assert isocenter_cli("emulate", "aws", "--detach", env=environ).returncode == 0
    moto = json.loads((store / "emulators" / "aws" / "moto.json").read_bytes())["address"]
    assert isocenter_cli("emulate", "aws", "--stop", env=environ).returncode == 0
    deadline = time.monotonic() + 10
    while answers(moto):
        assert time.monotonic() < deadline, "moto outlives the emulator that was stopped"
        time.sleep(0.05)


ALONE = """
from isocenter.emulators.aws import moto_child
moto_child._ALONE_S = 1.0
moto_child.main()
"""


def test_a_moto_that_nobody_takes_over_ends(tmp_path: Path) -> None:
    """As after a kill of the emulator, with a second in place of ten minutes."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    state = tmp_path / "moto.json"
    state.write_text(json.dumps({"address": "", "front": gone.pid}))
    moto = subprocess.Popen([sys.executable, "-c", ALONE, "0", str(state)], stderr=subprocess.DEVNULL)
    assert moto.wait(timeout=60) == 0


def answers(address: str) -> bool:
    try:
        urlopen(address, timeout=5).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


def test_its_descriptor_lies_where_targets_are_read(
    tmp_path: Path, isocenter_cli: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """In the current folder's `deployments` if there is one, else in the store's."""
    environ = {name: value for name, value in os.environ.items() if name != "ISOCENTER_DEPLOYMENTS"}
    environ["ISOCENTER_HOME"] = str(tmp_path / "store")
    for folder, made in (("bare", tmp_path / "store"), ("checkout", tmp_path / "checkout")):
        here = tmp_path / folder
        here.mkdir()
        if folder == "checkout":
            (here / "deployments").mkdir()
        try:
            started = isocenter_cli("emulate", "aws", "--detach", "--json", env=environ, cwd=here)
            assert started.returncode == 0, started.stderr
            where = Path(json.loads(started.stdout)["descriptor"])
            assert where == made / "deployments" / "aws-emulated.json"
            listed = json.loads(isocenter_cli("target", "list", "--json", env=environ, cwd=here).stdout)
            assert "aws-emulated" in [target["name"] for target in listed]
        finally:
            isocenter_cli("emulate", "aws", "--stop", env=environ, cwd=here)
