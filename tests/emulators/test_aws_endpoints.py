"""The emulated SageMaker's endpoints: what it refuses, answers and counts, as the service does."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.emulators.aws.request_check import answer_faults
from isocenter.targets.descriptor import DeploymentDescriptor

CONTAINER = Path(__file__).parents[1] / "servers" / "sagemaker_container.py"
Make = Callable[..., str]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aws")


@pytest.fixture(scope="module")
def target(scratch: Path) -> Iterator[DeploymentDescriptor]:
    program = [sys.executable, str(CONTAINER)]
    running = AwsEmulator(scratch, ["true"], stop_grace_s=5, serving_program=program)
    yield running.start("aws-emulated", 0)
    running.close()


@pytest.fixture
def client(target: DeploymentDescriptor) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        return boto3.client(
            service,
            region_name=target.region,
            endpoint_url=target.endpoints["aws"],
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return make


@pytest.fixture
def sagemaker(client: Callable[[str], Any]) -> Any:
    return client("sagemaker")


@pytest.fixture
def make(target: DeploymentDescriptor, client: Callable[[str], Any], sagemaker: Any) -> Iterator[Make]:
    """Makes a model, a configuration and an endpoint of that name; the container behaves as told."""
    made: list[str] = []

    def build(name: str, *, wait: bool = True, count: int = 1, **behaviour: Any) -> str:
        record(name, count, **behaviour)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        made.append(name)
        if wait:
            settled(sagemaker, name)
        return name

    def record(name: str, count: int, **behaviour: Any) -> None:
        bucket = target.buckets["models"].removeprefix("s3://")
        body = json.dumps(behaviour).encode()
        client("s3").put_object(Bucket=bucket, Key=f"{name}/behaviour.json", Body=body)
        sagemaker.create_model(**model(target, name))
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant(name, InitialInstanceCount=count)]
        )

    build.record = record  # type: ignore[attr-defined]
    yield build
    for name in made:
        if settled(sagemaker, name) is not None:
            sagemaker.delete_endpoint(EndpointName=name)


def model(target: DeploymentDescriptor, name: str, **changes: Any) -> dict[str, Any]:
    source = {"S3Uri": f"{target.buckets['models']}/{name}/", "S3DataType": "S3Prefix"}
    names = {"ISOCENTER_SERVING_NAME": "cxr", "ISOCENTER_SERVING_NUMBER": "1"}
    return {
        "ModelName": name,
        "ExecutionRoleArn": target.identities["serving"],
        "PrimaryContainer": {
            "Image": "i@sha256:" + "0" * 64,
            "ModelDataSource": {"S3DataSource": {**source, "CompressionType": "None"}},
            "Environment": {**names, "ISOCENTER_SERVING_ACCESS": "fronted:sagemaker"},
        },
        **changes,
    }


def variant(name: str, **changes: Any) -> dict[str, Any]:
    given = {"VariantName": "only", "ModelName": name, "InstanceType": "ml.m7i.large"}
    return {**given, "InitialInstanceCount": 1, **changes}


def settled(sagemaker: Any, name: str, *, seconds: float = 60) -> dict[str, Any] | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            assert "Could not find endpoint" in str(error)
            return None
        if found["EndpointStatus"] not in ("Creating", "Updating", "Deleting"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} is still {found['EndpointStatus']}")


def refused(call: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"


def test_an_endpoint_answers_by_its_container(
    make: Make, sagemaker: Any, client: Callable[[str], Any]
) -> None:
    name = make("answers", score=0.25)
    runtime = client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="application/dicom", Body=b"x" * 1000)
    told = json.loads(answer["Body"].read())
    assert (told["score"], told["bytes"], told["content_type"]) == (0.25, 1000, "application/dicom")
    assert (answer["InvokedProductionVariant"], answer["ContentType"]) == ("only", "application/json")

    described = sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    described.pop("ResponseMetadata")
    plain = json.loads(json.dumps(described, default=lambda at: at.timestamp()))
    assert answer_faults("DescribeEndpoint", plain) == []


def test_a_container_that_refuses_or_fails_is_a_model_error(make: Make, client: Callable[[str], Any]) -> None:
    runtime = client("sagemaker-runtime")
    for status, kind in ((422, "client"), (500, "server")):
        name = make(f"says-{status}", status=status)
        with pytest.raises(ClientError, match=f"Received {kind} error \\({status}\\)") as caught:
            runtime.invoke_endpoint(EndpointName=name, Body=b"x")
        assert caught.value.response["Error"]["Code"] == "ModelError"
        assert caught.value.response["OriginalStatusCode"] == status


def test_a_request_is_counted_when_it_came_not_when_cloudwatch_is_told(
    make: Make, client: Callable[[str], Any]
) -> None:
    """A rollout asked for in between would be judged by what was there before."""
    name, runtime, cloudwatch = make("counted"), client("sagemaker-runtime"), client("cloudwatch")
    asked: list[tuple[float, float]] = []
    for _ in range(4):
        time.sleep((1.93 - time.time() % 1) % 1)  # near the end of a second
        before = time.time()
        runtime.invoke_endpoint(EndpointName=name, Body=b"x")
        asked.append((before, time.time()))
    first, deadline = int(asked[0][0]), time.monotonic() + 60
    while invocations(cloudwatch, name, first) < len(asked):
        assert time.monotonic() < deadline, "the requests were never told"
        time.sleep(0.05)
    for since in range(first, int(asked[-1][1]) + 2):
        fewest, most = (sum(at >= since for at in times) for times in zip(*asked, strict=True))
        assert fewest <= invocations(cloudwatch, name, since) <= most


def invocations(cloudwatch: Any, name: str, since: int) -> int:
    """What CloudWatch counted from that second on."""
    begin = datetime.fromtimestamp(since, UTC)
    dimensions = [{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "only"}]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions}
    query = {"Id": "n", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[query], StartTime=begin, EndTime=begin + timedelta(hours=1)
    )
    return int(sum(found["MetricDataResults"][0]["Values"]))


def test_what_invoke_endpoint_refuses(make: Make, client: Callable[..., Any]) -> None:
    runtime, name = client("sagemaker-runtime"), make("refuses")
    assert "not found" in refused(runtime.invoke_endpoint, EndpointName="none", Body=b"x")
    assert "not found" in refused(runtime.invoke_endpoint, EndpointName=name, Body=b"x", TargetVariant="none")
    large = refused(runtime.invoke_endpoint, EndpointName=name, Body=b"x" * (6 << 20) + b"x")
    assert large.startswith("413")


def test_what_isnt_there_or_can_not_be_is_refused(
    target: DeploymentDescriptor, make: Make, sagemaker: Any
) -> None:
    name = make("known")
    config = sagemaker.create_endpoint_config
    assert "Could not find model" in refused(
        config, EndpointConfigName="x", ProductionVariants=[variant("none")]
    )
    assert "already existing model" in refused(sagemaker.create_model, **model(target, name))
    two = [variant(name, VariantName="a"), variant(name, VariantName="b")]
    shadowed = refused(
        config,
        EndpointConfigName="x",
        ProductionVariants=two,
        ShadowProductionVariants=[variant(name, VariantName="c")],
    )
    assert "one variant for ShadowProductionVariants" in shadowed
    own_disks = variant(name, InstanceType="ml.g6.2xlarge")
    key = target.keys["data"]
    assert "local storage" in refused(
        config, EndpointConfigName="x", ProductionVariants=[own_disks], KmsKeyId=key
    )
    assert "enum" in refused(
        config, EndpointConfigName="x", ProductionVariants=[variant(name, InstanceType="ml.z9.large")]
    )
    assert "Could not assume role" in refused(
        sagemaker.create_model,
        **model(target, "x", ExecutionRoleArn=target.identities["serving"] + "-none"),
    )
    assert "Could not find endpoint configuration" in refused(
        sagemaker.create_endpoint, EndpointName="x", EndpointConfigName="none"
    )
    assert "already existing endpoint" in refused(
        sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=name
    )


def test_a_change_is_refused_while_another_goes_on(make: Make, sagemaker: Any) -> None:
    name = make("busy", wait=False)
    for call, given in (
        (sagemaker.update_endpoint, {"EndpointConfigName": name}),
        (sagemaker.delete_endpoint, {}),
    ):
        assert "in-progress" in refused(call, EndpointName=name, **given)


def test_a_container_that_never_gets_healthy_fails_the_endpoint(make: Make, sagemaker: Any) -> None:
    name = make("sick", fails="No model.")
    found = settled(sagemaker, name)
    assert found is not None
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    assert "Delete it" in refused(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)


def test_an_update_that_fails_leaves_the_endpoint_as_it_was(make: Any, sagemaker: Any) -> None:
    name = make("stays")
    make.record("stays-sick", 1, fails="No model.")
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName="stays-sick")
    found = settled(sagemaker, name)
    assert found is not None
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", name)
    assert "did not pass" in found["FailureReason"]


def test_a_container_that_ends_is_started_again(make: Make, client: Callable[[str], Any]) -> None:
    name, runtime = make("again", count=1), client("sagemaker-runtime")

    def process() -> int:
        answer = runtime.invoke_endpoint(EndpointName=name, Body=b"x")
        return int(json.loads(answer["Body"].read())["process"])

    first = process()
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        try:
            assert process() != first
            break
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError"
            time.sleep(0.05)


def test_only_variants_that_are_there_are_scaled(make: Make, client: Callable[[str], Any]) -> None:
    name, scaling = make("scaled"), client("application-autoscaling")
    asked = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }
    missing = refused(scaling.register_scalable_target, ResourceId=f"endpoint/{name}/variant/none", **asked)
    assert "not found" in missing
    scaling.register_scalable_target(ResourceId=f"endpoint/{name}/variant/only", **asked)


def test_an_emulator_that_was_killed_leaves_processes_to_the_next(tmp_path: Path) -> None:
    from isocenter.servers.local_process import processes_of, start_process

    first = AwsEmulator(tmp_path, ["true"])
    first.start("aws-emulated", 0)
    mark = (tmp_path / "endpoints.mark").read_text()
    start_process(["sleep", "600"], mark, {"PATH": os.environ["PATH"]}, tmp_path, tmp_path / "log")
    assert list(processes_of(mark))
    second = AwsEmulator(tmp_path, ["true"])
    second.start("aws-emulated", 0)
    try:
        assert not list(processes_of(mark))
    finally:
        first.close()
        second.close()
