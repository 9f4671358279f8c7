"""The SageMaker server passes the contract against an emulator whose endpoints answer, through boto3."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

from isocenter.backends.aws_calls import aws_client
from isocenter.domain.rollout import (
    Capture,
    Endpoint,
    EndpointState,
    InstanceSize,
    Rollout,
    Scaling,
    Variant,
)
from isocenter.domain.run import new_run_id
from isocenter.domain.submission import Submission
from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.emulators.aws.request_check import check_request
from isocenter.errors import InputError, TransientFaultError
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.sagemaker import SageMakerServer
from isocenter.targets.descriptor import DeploymentDescriptor

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import no_faults, post
from server_contract import NAME, Interrupted, Predict, ServerContract, settle, wait_until_gone, weights

CONTAINER = Path(__file__).with_name("sagemaker_container.py")
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/aws-prod/serving@sha256:" + "ab" * 32
SERVICE = f"aws-emulated-{NAME}"


class EndedError(Exception):
    """The client's process ends here."""


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
        "identities": {"serving": "arn:aws:iam::123456789012:role/aws-prod-serving"},
        "network": {"id": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]},
        "gpu": [{"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "ml.g6.2xlarge"}],
        "labels": {"owner": "imaging", "environment": "prod", "data-classification": "phi"},
        "settings": {"images": {"serving": IMAGE}},
    }
    return DeploymentDescriptor.model_validate(values | fields)


def server_for(place: DeploymentDescriptor, **settings: Any) -> SageMakerServer:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return SageMakerServer(Home(Path("/srv/isocenter")), described)


def variant(target: DeploymentDescriptor, number: int, **behaviour: Any) -> Variant:
    """``cxr:<number>`` with a bundle for the stand-in, in the target's bucket."""
    digest = hashlib.sha256(json.dumps([number, behaviour]).encode()).hexdigest()
    uri = f"{target.buckets['models']}/artifacts/{digest}"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = json.dumps(behaviour).encode()
    aws_client(target, "s3").put_object(Bucket=bucket, Key=f"{key}/behaviour.json", Body=body)
    return Variant(f"cxr:{number}", f"sha256:{digest}", uri)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEmulator]:
    program = [sys.executable, str(CONTAINER)]
    made = AwsEmulator(tmp_path_factory.mktemp("aws"), ["true"], stop_grace_s=10, serving_program=program)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(emulator: AwsEmulator) -> DeploymentDescriptor:
    return emulator.start("aws-emulated", 0)


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["aws"])
    server = server_for(running)
    while (found := server.describe(NAME)) is not None:
        if found.state is not EndpointState.UPDATING:
            server.delete(NAME)
        time.sleep(0.1)


@pytest.fixture
def runtime(target: DeploymentDescriptor) -> Iterator[Any]:
    """Counts of a rollout begin with the second it was asked for in (on AWS, the minute): a test that asked
    for predictions ends its last one, so that none of them are counted in the next test's rollouts."""
    yield aws_client(target, "sagemaker-runtime")
    time.sleep(1 - time.time() % 1)


@pytest.fixture
def sagemaker(target: DeploymentDescriptor) -> Any:
    return aws_client(target, "sagemaker")


class TestSageMakerServer(ServerContract):
    target = "aws-emulated"
    bundles = "s3://prod-models/artifacts"

    @pytest.fixture
    def server(self, target: DeploymentDescriptor, home: Home) -> Server:
        settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
        return load_server("sagemaker", home, settings)

    @pytest.fixture
    def golden_server(self) -> Server:
        return server_for(descriptor())

    @pytest.fixture
    def one(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 1, score=0.3)

    @pytest.fixture
    def two(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 2, score=0.5)

    @pytest.fixture
    def broken(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 3, fails="The bundle's network can't be loaded.")

    @pytest.fixture
    def predict(self, runtime: Any) -> Predict:
        def ask(_: Endpoint) -> int:
            answer = runtime.invoke_endpoint(EndpointName=SERVICE, ContentType="application/dicom", Body=b"x")
            told = json.loads(answer["Body"].read())
            assert answer["InvokedProductionVariant"] == f"cxr-{told['version']}"
            return int(told["version"])

        return ask

    @pytest.fixture
    def interrupted(self, target: DeploymentDescriptor) -> Interrupted:
        """Ends a client before each of its calls is sent, which is after the one before was answered."""

        def apply(submission: Submission, number: int) -> bool:
            server, calls = server_for(target), [0]
            made = server._client

            def client(service: str) -> Any:
                found = made(service)
                found.meta.events.register(f"before-send.{service}", count)
                return found

            def count(**_: Any) -> None:
                if calls[0] == number:
                    raise EndedError
                calls[0] += 1

            server._client = client  # type: ignore[method-assign]
            try:
                server.apply(submission)
            except EndedError:
                return True
            return False

        return apply

    def test_a_version_that_fails_says_what_it_said(
        self, server: Server, one: Variant, broken: Variant
    ) -> None:
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert "did not pass the ping health check" in failed.reason
        assert failed.reason.endswith("The bundle's network can't be loaded.")
        assert self.serve(server, one).state is EndpointState.READY

    def test_an_exchange_that_sagemaker_takes_back_without_a_word(
        self, server: Server, emulator: AwsEmulator, one: Variant, broken: Variant, predict: Predict
    ) -> None:
        """As it does where capacity is short: InService, the old configuration, no FailureReason."""
        first = self.serve(server, one)
        submission = server.plan(self.rollout(broken))
        settle(server, submission)
        assert emulator._endpoints is not None
        endpoint = emulator._endpoints.find(SERVICE, "eu-central-1")
        assert endpoint is not None
        endpoint._failure = ""
        found = server.describe(NAME)
        assert found is not None
        assert (found.state, server.apply(submission).state) == (EndpointState.FAILED, EndpointState.FAILED)
        assert weights(found) == {"cxr:1": 100}
        assert predict(first) == 1

    def test_other_versions_interrupted_at_any_call(
        self, server: Server, one: Variant, two: Variant, predict: Predict, interrupted: Interrupted
    ) -> None:
        """As the contract's, where each rollout exchanges the instances."""
        first = self.serve(server, one)
        for number in range(40):
            wanted = (two, one)[number % 2]
            submission = server.plan(self.rollout(wanted))
            was_ended = interrupted(submission, number)
            assert predict(first) in (1, 2), "callers noticed"
            found = settle(server, submission)
            assert (found.state, weights(found)) == (EndpointState.READY, {wanted.reference: 100})
            if not was_ended:
                break
        assert number > 5
        assert not was_ended

    def test_the_first_version_interrupted_at_any_call(
        self, server: Server, one: Variant, interrupted: Interrupted
    ) -> None:
        for number in range(20):
            submission = server.plan(self.rollout(one))
            was_ended = interrupted(submission, number)
            assert settle(server, submission).state is EndpointState.READY
            server.delete(NAME)
            wait_until_gone(server, NAME)
            if not was_ended:
                break
        assert number > 2
        assert not was_ended

    def test_a_rollback_under_load_loses_no_request(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        ended, answered, failed = threading.Event(), set[int](), list[Exception]()

        def ask() -> None:
            while not ended.is_set():
                try:
                    answered.add(predict(endpoint))
                except Exception as error:
                    failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for variants in ((two,), (one,), self.canary(one, two, 10)):
            self.serve(server, *variants)
        ended.set()
        for thread in threads:
            thread.join()
        assert (answered, failed) == ({1, 2}, [])

    def test_an_older_rollout_does_not_replace_a_later_one(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        older = server.plan(self.rollout(one))
        time.sleep(0.002)
        self.serve(server, two)
        with pytest.raises(InputError, match="was replaced by"):
            server.apply(older)

    def test_nothing_is_left_but_what_answers(
        self, server: Server, one: Variant, two: Variant, sagemaker: Any
    ) -> None:
        for variants in ((one,), self.canary(one, two, 10), (two,)):
            self.serve(server, *variants)
        assert [len(names) for names in records(sagemaker)] == [1, 1]
        server.delete(NAME)
        assert records(sagemaker) == ([], [])
        wait_until_gone(server, NAME)

    def test_bounds_are_kept_by_application_auto_scaling(
        self, server: Server, one: Variant, two: Variant, target: DeploymentDescriptor
    ) -> None:
        scaled = replace(self.rollout(one), scaling=Scaling(1, 4))
        settle(server, server.plan(scaled))
        assert bounds(target) == {f"endpoint/{SERVICE}/variant/cxr-1": (1, 4)}
        larger = replace(scaled, id=self.rollout(one).id, size=InstanceSize(cpus=8))
        assert settle(server, server.plan(larger)).state is EndpointState.READY
        canary = replace(self.rollout(*self.canary(one, two, 20)), scaling=Scaling(1, 3))
        settle(server, server.plan(canary))
        assert set(bounds(target).values()) == {(1, 3)}
        assert len(bounds(target)) == 2
        self.serve(server, one)
        assert bounds(target) == {}

    def test_instances_are_counted(self, server: Server, one: Variant) -> None:
        self.serve(server, one)
        two_of_it = replace(self.rollout(one), scaling=Scaling(2, 2))
        found = settle(server, server.plan(two_of_it))
        assert [each.instances for each in found.variants] == [2]

    def test_a_shadow_gets_copies_and_answers_nobody(
        self, server: Server, one: Variant, running: DeploymentDescriptor, predict: Predict
    ) -> None:
        shadow = replace(variant(running, 2, score=0.9, status=500), weight=0, shadow=True)
        endpoint = self.serve(server, one, shadow)
        assert {v.reference: v.shadow for v in endpoint.variants} == {"cxr:1": False, "cxr:2": True}
        assert {predict(endpoint) for _ in range(5)} == {1}
        seen = self.observed(server, lambda found: found["cxr:2"].requests == 5)
        assert (seen["cxr:2"].errors, seen["cxr:1"].errors) == (5, 0)

    def test_refused_callers_are_not_counted(
        self, server: Server, one: Variant, running: DeploymentDescriptor, runtime: Any
    ) -> None:
        self.serve(server, *self.canary(one, variant(running, 2, status=422), 50))
        answered = 0
        for _ in range(10):
            try:
                runtime.invoke_endpoint(EndpointName=SERVICE, ContentType="application/dicom", Body=b"x")
                answered += 1
            except runtime.exceptions.ModelError as error:
                assert error.response["OriginalStatusCode"] == 422
        assert 0 < answered < 10
        seen = self.observed(server, lambda found: found["cxr:1"].requests >= answered)
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors) == (0, 0)

    def test_answers_are_kept_and_requests_are_not(
        self, server: Server, one: Variant, target: DeploymentDescriptor, runtime: Any
    ) -> None:
        kept = replace(self.rollout(one), capture=Capture(percent=50))
        settle(server, server.plan(kept))
        s3, bucket = aws_client(target, "s3"), target.buckets["data"].removeprefix("s3://")
        for key in captured(s3, bucket):
            s3.delete_object(Bucket=bucket, Key=key)
        for _ in range(4):
            runtime.invoke_endpoint(EndpointName=SERVICE, ContentType="application/dicom", Body=b"CANARY")
        objects = [s3.get_object(Bucket=bucket, Key=key) for key in captured(s3, bucket)]
        lines = [json.loads(each["Body"].read()) for each in objects]
        assert len(lines) == 2
        assert {each["SSEKMSKeyId"] for each in objects} == {target.keys["data"]}
        assert [set(line["captureData"]) for line in lines] == [{"endpointOutput"}] * 2
        assert json.loads(lines[0]["captureData"]["endpointOutput"]["data"])["score"] == 0.3
        assert "CANARY" not in json.dumps(lines)

    def test_a_busy_service_is_a_passing_fault(
        self, server: Server, one: Variant, target: DeploymentDescriptor
    ) -> None:
        submission = server.plan(self.rollout(one))
        post(target.endpoints["aws"], "/emulator/faults", status=429, header="x-amz-target: SageMaker")
        with pytest.raises(TransientFaultError):
            server.apply(submission)
        assert settle(server, submission).state is EndpointState.READY
        post(target.endpoints["aws"], "/emulator/faults", status=503, header="x-amz-target: SageMaker")
        found = server.describe(NAME)
        assert found is not None
        assert found.state is EndpointState.UNKNOWN

    def test_somebody_elses_endpoint_is_left_alone(
        self, server: Server, one: Variant, sagemaker: Any
    ) -> None:
        request = server.plan(self.rollout(one)).request
        sagemaker.create_model(**request["CreateModel"][0])
        sagemaker.create_endpoint_config(**request["CreateEndpointConfig"])
        sagemaker.create_endpoint(**{**request["CreateEndpoint"], "Tags": []})
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=SERVICE, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        with pytest.raises(InputError, match="made by somebody else"):
            server.apply(server.plan(self.rollout(one)))


def captured(s3: Any, bucket: str) -> list[str]:
    """Keys of what was kept of the endpoint's requests."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"capture/{NAME}/")
    return [found["Key"] for page in pages for found in page.get("Contents", ())]


def records(sagemaker: Any) -> tuple[list[str], list[str]]:
    """Names of models and configurations."""
    models = [each["ModelName"] for each in sagemaker.list_models()["Models"]]
    configs = [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    return models, configs


def bounds(target: DeploymentDescriptor) -> dict[str, tuple[int, int]]:
    """What is scaled, and between which bounds; a policy each."""
    client = aws_client(target, "application-autoscaling")
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert {each["ResourceId"] for each in found} <= {each["ResourceId"] for each in policies}
    return {each["ResourceId"]: (each["MinCapacity"], each["MaxCapacity"]) for each in found}


OLD = Variant("chest-xray:1", "sha256:" + "1" * 64, "s3://prod-models/artifacts/1")
NEW = Variant("chest-xray:2", "sha256:" + "2" * 64, "s3://prod-models/artifacts/2", weight=0, shadow=True)


def rollout(*variants: Variant, **fields: Any) -> Rollout:
    return Rollout(new_run_id(), NAME, "aws-prod", variants, **fields)


@pytest.mark.parametrize(
    "asked",
    [
        rollout(OLD),
        rollout(OLD, NEW, image=IMAGE),
        rollout(replace(OLD, weight=99), replace(NEW, weight=1, shadow=False), scaling=Scaling(1, 9)),
        rollout(OLD, size=InstanceSize(gpu="l4"), capture=Capture(percent=0)),
        rollout(OLD, size=InstanceSize(cpus=48, memory_gib=200)),
    ],
)
def test_each_request_is_one_of_its_operation(asked: Rollout) -> None:
    """By botocore's own model: members, types, enums, patterns, bounds."""
    request = dict(server_for(descriptor()).plan(asked).request)
    assert request.pop("endpoint") == NAME
    for operation, bodies in request.items():
        scaling = operation in ("RegisterScalableTarget", "PutScalingPolicy")
        for body in bodies if isinstance(bodies, list) else [bodies]:
            if not scaling:
                check_request(operation, body)


@pytest.mark.parametrize(("percent", "told"), [(100, "json"), (1, "json"), (0, None)])
def test_where_answers_are_kept_the_container_gives_json_only(percent: int, told: str | None) -> None:
    """SageMaker keeps whatever is answered: a DICOM result holds the patient's name, a picture pixels."""
    request = server_for(descriptor()).plan(rollout(OLD, capture=Capture(percent=percent))).request
    (model,) = request["CreateModel"]
    assert ("DataCaptureConfig" in request["CreateEndpointConfig"]) is bool(told)
    assert model["PrimaryContainer"]["Environment"].get("ISOCENTER_SERVING_ANSWERS") == told


def test_the_smallest_machine_that_holds_an_instance_is_taken() -> None:
    def machine(**size: Any) -> str:
        request = server_for(descriptor()).plan(rollout(OLD, size=InstanceSize(**size))).request
        return str(request["CreateEndpointConfig"]["ProductionVariants"][0]["InstanceType"])

    assert machine() == "ml.c7i.large"
    assert machine(cpus=1, memory_gib=6) == "ml.m7i.large"
    assert machine(cpus=5, memory_gib=8) == "ml.c7i.2xlarge"
    assert machine(gpu="l4") == "ml.g6.2xlarge"
    with pytest.raises(InputError, match="no machine for endpoints with 200 cores"):
        machine(cpus=200)
    with pytest.raises(InputError, match="doesn't offer h100"):
        machine(gpu="h100")


def test_containers_are_isolated_and_disks_encrypted() -> None:
    request = server_for(descriptor()).plan(rollout(OLD)).request
    (model,) = request["CreateModel"]
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert model["PrimaryContainer"]["Environment"]["ISOCENTER_SERVING_ACCESS"] == "fronted:sagemaker"
    key = descriptor().keys["data"]
    assert request["CreateEndpointConfig"]["KmsKeyId"] == key
    own_disks = server_for(descriptor()).plan(rollout(OLD, size=InstanceSize(gpu="l4"))).request
    assert "KmsKeyId" not in own_disks["CreateEndpointConfig"], "SageMaker refuses a key there"


@pytest.mark.parametrize(
    ("asked", "place", "message"),
    [
        (rollout(OLD), descriptor(identities={}), "names no identity for serving"),
        (rollout(OLD), descriptor(settings={}), "names no image"),
        (rollout(OLD, image="registry/serving:latest"), descriptor(), "not named by its digest"),
        (rollout(replace(OLD, uri="/store/bundle")), descriptor(), "is not in S3"),
        (
            rollout(replace(OLD, weight=50), replace(OLD, reference="c:2", weight=50), NEW),
            descriptor(),
            "a shadow beside one version only",
        ),
        (rollout(OLD, labels={"owner": "a|b"}), descriptor(), "a character that AWS takes in no tag"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_by_plan(
    asked: Rollout, place: DeploymentDescriptor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        server_for(place).plan(asked)


def test_names_stay_within_the_deployments_and_apart() -> None:
    def names(endpoint: str) -> set[str]:
        asked = Rollout(new_run_id(), endpoint, "t", (OLD,))
        request = server_for(descriptor(name="a" * 20)).plan(asked).request
        return {
            request["CreateEndpoint"]["EndpointName"],
            request["CreateEndpointConfig"]["EndpointConfigName"],
            request["CreateModel"][0]["ModelName"],
        }

    long = "b" * 30
    found = [names(name) for name in (f"{long}-1", f"{long}-2", "cc", "cc-2")]
    assert len(set.union(*found)) == 12
    assert all(len(name) <= 63 and name.startswith("a" * 20 + "-") for name in set.union(*found))


def test_the_target_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="needs a deployment"):
        load_server("sagemaker", Home(Path("/srv/isocenter")))
