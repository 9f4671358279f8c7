"""ModelVersions as model packages of SageMaker: one group a model, one package a version.

SageMaker numbers packages itself and has no aliases. So a package's description says which version it is, and
the group carries one tag an alias, whose value is the package: where it moves, the other one loses it.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry.html
"""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isocenter.backends.aws_calls import asking, aws_client, error_message
from isocenter.mirrors.base import MirroredVersion
from isocenter.targets.descriptor import DeploymentDescriptor

_ALIAS = "isocenter-alias-"
_LONGEST_GROUP, _LONGEST_PROPERTY = 63, 256
# In place of the reason, which is free text and stays at home.
_APPROVAL = "The reason is in Isocenter's own registry."
# As SageMaker's own model quality jobs write it.
_METRICS_TYPE = "application/json"


class SageMakerMirror:
    """The model registry of one target on AWS.

    Args:
        descriptor: of the target; its settings name ``model_package_group`` (what groups' names begin with)
            and ``images`` (by use: ``serving``, what a package is served with; without it a package says
            only where the model is).
        timeout_s: of one request.
    """

    def __init__(self, descriptor: DeploymentDescriptor, timeout_s: float = 60.0) -> None:
        self._descriptor = descriptor
        self._timeout_s = timeout_s
        self._settings: Mapping[str, Any] = descriptor.settings

    def register(self, version: MirroredVersion) -> str:
        """The package's ARN."""
        group = self._group(version.name)
        known = self._known(group, _description(version))
        if known:
            return known
        request = self._request(version, group)
        with asking():
            return str(self._sagemaker.create_model_package(**request)["ModelPackageArn"])

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        """Tags of the package's group."""
        group = _group_arn(provider_id)
        with asking():
            pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=group)
            tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
            wanted = {f"{_ALIAS}{alias}" for alias in aliases}
            lost = [key for key, value in tags.items() if value == provider_id and key not in wanted]
            gone = sorted(key for key in lost if key.startswith(_ALIAS))
            if gone:
                self._sagemaker.delete_tags(ResourceArn=group, TagKeys=gone)
            new = [
                {"Key": key, "Value": provider_id} for key in sorted(wanted) if tags.get(key) != provider_id
            ]
            if new:
                self._sagemaker.add_tags(ResourceArn=group, Tags=new)

    def set_approval(self, provider_id: str, approved: bool) -> None:
        """ModelApprovalStatus: Approved or Rejected."""
        with asking():
            self._sagemaker.update_model_package(
                ModelPackageArn=provider_id,
                ModelApprovalStatus="Approved" if approved else "Rejected",
                ApprovalDescription=_APPROVAL,
            )

    @cached_property
    def _sagemaker(self) -> Any:
        return aws_client(self._descriptor, "sagemaker", read_timeout_s=self._timeout_s)

    def _group(self, model: str) -> str:
        """The model's group, made where it isn't there."""
        from botocore.exceptions import ClientError

        begin = self._settings.get("model_package_group") or f"{self._descriptor.name}-models"
        name = f"{begin}-{model}"[:_LONGEST_GROUP].rstrip("-")
        tags = [{"Key": key, "Value": value} for key, value in sorted(self._descriptor.labels.items())]
        with asking():
            try:
                self._sagemaker.describe_model_package_group(ModelPackageGroupName=name)
            except ClientError as error:
                if "does not exist" not in error_message(error):
                    raise
                self._sagemaker.create_model_package_group(
                    ModelPackageGroupName=name,
                    ModelPackageGroupDescription=f"Mirror of {model} in Isocenter's own registry",
                    Tags=tags,
                )
        return name

    def _known(self, group: str, description: str) -> str:
        with asking():
            pages = self._sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
            for page in pages:
                for package in page["ModelPackageSummaryList"]:
                    if package.get("ModelPackageDescription") == description:
                        return str(package["ModelPackageArn"])
        return ""

    def _request(self, version: MirroredVersion, group: str) -> dict[str, Any]:
        request: dict[str, Any] = {
            "ModelPackageGroupName": group,
            "ModelPackageDescription": _description(version),
            "ModelApprovalStatus": "PendingManualApproval",
            "ClientToken": str(uuid5(NAMESPACE_URL, f"{group} {_description(version)}")),
            "CustomerMetadataProperties": _properties(version),
        }
        image = self._settings.get("images", {}).get("serving")
        if image:
            request["InferenceSpecification"] = _inference(image, version.artifact_uri)
        else:
            request["SourceUri"] = version.artifact_uri
        if version.metrics:
            statistics = {"ContentType": _METRICS_TYPE, "S3Uri": self._write_metrics(version)}
            request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
        return request

    def _write_metrics(self, version: MirroredVersion) -> str:
        """Where the metrics lie: SageMaker takes them as a file only."""
        uri = f"{self._descriptor.buckets['models']}/mirrors/{version.name}/{version.number}/metrics.json"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        values = {
            name: {"value": value, "standard_deviation": "NaN"} for name, value in version.metrics.items()
        }
        body = json.dumps({"binary_classification_metrics": values}, sort_keys=True).encode()
        kms = self._descriptor.keys.get("data")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
        with asking():
            aws_client(self._descriptor, "s3", read_timeout_s=self._timeout_s).put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=_METRICS_TYPE, **encryption
            )
        return uri


def open_mirror(descriptor: DeploymentDescriptor, timeout_s: float) -> SageMakerMirror:
    """The mirror of the target ``descriptor`` (:func:`isocenter.mirrors.base.load_mirror`)."""
    return SageMakerMirror(descriptor, timeout_s)


def _description(version: MirroredVersion) -> str:
    return f"{version.name}:{version.number} {version.digest}"


def _properties(version: MirroredVersion) -> dict[str, str]:
    metrics = {f"metric-{name}": f"{value:.6g}" for name, value in version.metrics.items()}
    ours = {"isocenter-version": str(version.number), "isocenter-digest": version.digest}
    found = {**version.labels, **metrics, **ours}
    return {key: value[:_LONGEST_PROPERTY] for key, value in sorted(found.items()) if value}


def _inference(image: str, artifact_uri: str) -> dict[str, Any]:
    packed = artifact_uri.endswith(".tar.gz")
    source = {
        "S3Uri": artifact_uri if packed else artifact_uri.rstrip("/") + "/",
        "S3DataType": "S3Object" if packed else "S3Prefix",
        "CompressionType": "Gzip" if packed else "None",
    }
    return {
        "Containers": [{"Image": image, "ModelDataSource": {"S3DataSource": source}}],
        "SupportedContentTypes": ["application/dicom", "application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }


def _group_arn(package_arn: str) -> str:
    """``...:model-package/GROUP/NUMBER`` as ``...:model-package-group/GROUP``."""
    begin, _, rest = package_arn.partition(":model-package/")
    return f"{begin}:model-package-group/{rest.rpartition('/')[0]}"
