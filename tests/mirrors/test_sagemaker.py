"""ModelVersions as SageMaker model packages, by boto3 against the emulated AWS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

from isocenter.backends.aws_calls import aws_client
from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.errors import TransientFaultError
from isocenter.mirrors.base import Mirror, MirroredVersion
from isocenter.mirrors.sagemaker import SageMakerMirror
from isocenter.targets.descriptor import DeploymentDescriptor

SERVING = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/isocenter/serving@sha256:" + "cd" * 32


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    running = AwsEmulator(tmp_path_factory.mktemp("aws"), ["/bin/true"])
    yield running.start("aws-emulated", 0)
    running.close()


@pytest.fixture
def sagemaker(target: DeploymentDescriptor) -> Iterator[Any]:
    made = aws_client(target, "sagemaker")
    yield made
    made.close()


@pytest.fixture
def mirror(target: DeploymentDescriptor) -> SageMakerMirror:
    return SageMakerMirror(target)


def version(number: int, **changes: Any) -> MirroredVersion:
    values: dict[str, Any] = {
        "name": "chest-xray",
        "number": number,
        "digest": "sha256:" + f"{number:02d}" * 32,
        "artifact_uri": f"s3://aws-emulated-models/artifacts/{number}",
        "metrics": {"auroc": 0.958, "sensitivity": 0.9},
        "labels": {"owner": "imaging@hospital.example", "data-classification": "pseudonymised"},
    }
    return MirroredVersion(**(values | changes))


def test_a_version_is_registered_once(
    mirror: SageMakerMirror, sagemaker: Any, target: DeploymentDescriptor
) -> None:
    assert isinstance(mirror, Mirror)
    found = {mirror.register(version(1)), mirror.register(version(1))}
    assert len(found) == 1
    package = sagemaker.describe_model_package(ModelPackageName=found.pop())
    assert package["ModelPackageDescription"] == f"chest-xray:1 {version(1).digest}"
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["CustomerMetadataProperties"]["metric-auroc"] == "0.958"
    assert package["CustomerMetadataProperties"]["owner"] == "imaging@hospital.example"
    uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = json.loads(aws_client(target, "s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert body["binary_classification_metrics"]["auroc"]["value"] == 0.958
    group = package["ModelPackageGroupName"]
    assert group == "aws-emulated-models-chest-xray"
    assert mirror.register(version(2)) != mirror.register(version(1))


def test_the_request_fits_the_model(target: DeploymentDescriptor) -> None:
    """moto looks at few fields: the whole request is held against botocore's model."""
    from isocenter.emulators.aws.request_check import check_request

    for images in ({}, {"serving": SERVING}):
        for uri in ("s3://b/artifacts/1", "s3://b/model.tar.gz"):
            settings = {**target.settings, "images": images}
            mirror = SageMakerMirror(target.model_copy(update={"settings": settings}))
            check_request("CreateModelPackage", mirror._request(version(1, artifact_uri=uri), "group"))


def test_approval(mirror: SageMakerMirror, sagemaker: Any) -> None:
    arn = mirror.register(version(3))
    mirror.set_approval(arn, True)
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Approved"
    mirror.set_approval(arn, False)
    mirror.set_approval(arn, False)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Rejected"


def aliases(sagemaker: Any, arn: str) -> dict[str, str]:
    group = arn.replace(":model-package/", ":model-package-group/").rpartition("/")[0]
    tags = sagemaker.list_tags(ResourceArn=group)["Tags"]
    keys = [tag["Key"] for tag in tags]
    assert len(keys) == len(set(keys))
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"].startswith("isocenter-alias-")}


def test_an_alias_is_one_versions(mirror: SageMakerMirror, sagemaker: Any) -> None:
    old, new = mirror.register(version(4)), mirror.register(version(5))
    mirror.set_aliases(old, frozenset({"champion", "shadow"}))
    assert aliases(sagemaker, old) == {"isocenter-alias-champion": old, "isocenter-alias-shadow": old}
    for _ in range(2):
        mirror.set_aliases(new, frozenset({"champion"}))
        assert aliases(sagemaker, old) == {"isocenter-alias-champion": new, "isocenter-alias-shadow": old}
    mirror.set_aliases(old, frozenset())
    assert aliases(sagemaker, old) == {"isocenter-alias-champion": new}


def test_a_registry_that_is_down_is_asked_again_later(target: DeploymentDescriptor) -> None:
    away = target.model_copy(update={"endpoints": {"aws": "http://127.0.0.1:9"}})
    mirror = SageMakerMirror(away)
    with pytest.raises(TransientFaultError):
        mirror.register(version(1))
