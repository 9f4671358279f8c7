"""The SageMaker server passes the contract against an emulator whose endpoints answer, through boto3."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

from isocenter.backends.aws_calls import aws_client
from isocenter.domain.rollout import Endpoint, EndpointState, Variant
from isocenter.domain.submission import Submission
from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.sagemaker import SageMakerServer
from isocenter.targets.descriptor import DeploymentDescriptor

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from contract import NAME, Interrupted, Predict, ServerContract
from emulated import no_faults

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
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    program = [sys.executable, str(CONTAINER)]
    emulator = AwsEmulator(tmp_path_factory.mktemp("aws"), ["true"], stop_grace_s=10, serving_program=program)
    yield emulator.start("aws-emulated", 0)
    emulator.close()


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
def runtime(target: DeploymentDescriptor) -> Any:
    return aws_client(target, "sagemaker-runtime")


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
