"""A Rollout as SageMaker's requests: models, a configuration of variants, an endpoint, scaling.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
"""

import re
from collections.abc import Mapping
from typing import Any

from isocenter.backends.machine_choice import choose_machine
from isocenter.clouds.offer import cloud_offer
from isocenter.domain.rollout import Rollout, Variant
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.servers.sagemaker_names import EndpointNames
from isocenter.targets.descriptor import DeploymentDescriptor

ACCESS = "fronted:sagemaker"
ROLLOUT_TAG = "isocenter-rollout"
_BY_DIGEST = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")
_TAG = re.compile(r"[\w .:/=+\-@]*")
_LONGEST_KEY, _LONGEST_TAG, _MOST_TAGS = 128, 256, 40
_LONGEST_VARIANT, _LONGEST_VARIABLE = 63, 1024
# SageMaker asks /ping from the first second on; a bundle is some hundred MB at most.
_START_S, _DOWNLOAD_S = 300, 600
_REQUESTS_A_MINUTE_AND_CORE = 300.0
_SCALE_IN_S, _SCALE_OUT_S = 600, 60
NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"


def rollout_request(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout
) -> dict[str, Any]:
    """All that may be sent for ``rollout``, by operation.

    A new endpoint is created; one that is there is updated, or only its weights are shifted where the same
    versions stay on the same machines.

    Args:
        descriptor: of the target.
        settings: ``images`` (by use: ``serving``), ``requests_per_minute`` (of an instance, beyond which
            another is started; default 300 a core).
        rollout: with URIs in S3 for bundles.

    Raises:
        InputError: SageMaker, or this deployment, can't serve so.
    """
    _check_variants(rollout)
    names = EndpointNames.of(descriptor, rollout.endpoint)
    tags = _tags(descriptor, rollout)
    models = {variant.name: _model(descriptor, settings, rollout, variant) for variant in rollout.variants}
    called = {name: names.model(model) for name, model in models.items()}
    config = _config(descriptor, rollout, called)
    config_name = names.config(config)
    return {
        "endpoint": rollout.endpoint,
        "CreateModel": [{"ModelName": called[n], **model, "Tags": tags} for n, model in models.items()],
        "CreateEndpointConfig": {"EndpointConfigName": config_name, **config, "Tags": tags},
        "CreateEndpoint": {
            "EndpointName": names.endpoint,
            "EndpointConfigName": config_name,
            "Tags": [*tags, {"Key": ROLLOUT_TAG, "Value": rollout.id}],
        },
        "UpdateEndpoint": {
            "EndpointName": names.endpoint,
            "EndpointConfigName": config_name,
            # A version that stays keeps as many instances as scaling gave it.
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [
                {"VariantPropertyType": "DesiredWeight"},
                {"VariantPropertyType": "DataCaptureConfig"},
            ],
        },
        "UpdateEndpointWeightsAndCapacities": {
            "EndpointName": names.endpoint,
            "DesiredWeightsAndCapacities": [_share(rollout, variant) for variant in rollout.answering],
        },
        **_scaling(settings, rollout, names.endpoint),
    }


def _check_variants(rollout: Rollout) -> None:
    for variant in rollout.variants:
        if not variant.uri.startswith("s3://"):
            raise InputError(f"The bundle of {variant.reference} is not in S3; SageMaker reads nothing else.")
        if len(variant.name) > _LONGEST_VARIANT:
            raise InputError(
                f"{variant.reference} has a name of {len(variant.name)} characters; SageMaker takes"
                f" {_LONGEST_VARIANT} for a variant."
            )
    shadows = len(rollout.variants) - len(rollout.answering)
    if shadows and (shadows, len(rollout.answering)) != (1, 1):
        raise InputError(
            f"The rollout of {rollout.endpoint!r} has {len(rollout.answering)} versions that answer and"
            f" {shadows} shadows; SageMaker takes a shadow beside one version only.",
            hint="Promote the canary or take it back first.",
        )


def _model(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout, variant: Variant
) -> dict[str, Any]:
    source = {"S3Uri": f"{variant.uri.rstrip('/')}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    request: dict[str, Any] = {
        "ExecutionRoleArn": _role(descriptor),
        "PrimaryContainer": {
            "Image": _image(descriptor, settings, rollout),
            "ModelDataSource": {"S3DataSource": source},
            "Environment": _environment(descriptor, rollout, variant),
        },
        "EnableNetworkIsolation": True,
    }
    network = descriptor.network
    if network.subnets:
        request["VpcConfig"] = {
            "Subnets": list(network.subnets),
            "SecurityGroupIds": list(network.security_groups),
        }
    return request


def _environment(descriptor: DeploymentDescriptor, rollout: Rollout, variant: Variant) -> dict[str, str]:
    environment = {
        "ISOCENTER_SERVING_ACCESS": ACCESS,
        "ISOCENTER_SERVING_DIGEST": variant.digest,
        "ISOCENTER_SERVING_NAME": variant.model,
        "ISOCENTER_SERVING_NUMBER": str(variant.number),
        "ISOCENTER_SERVING_WORKERS": str(rollout.size.cpus),
    }
    if _captures(descriptor, rollout):
        # Pictures and DICOM objects hold pixels and names, and SageMaker would keep them like any answer.
        environment["ISOCENTER_SERVING_ANSWERS"] = "json"
    for name, value in environment.items():
        if len(value) > _LONGEST_VARIABLE:
            raise InputError(f"{name} has {len(value)} characters; SageMaker takes {_LONGEST_VARIABLE}.")
    return environment


def _role(descriptor: DeploymentDescriptor) -> str:
    role = descriptor.identities.get("serving")
    if not role:
        raise InputError(
            f"The target {descriptor.name} names no identity for serving.",
            hint="make deploy makes one (identities.serving in the deployment descriptor).",
        )
    return role


def _image(descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout) -> str:
    image = rollout.image or settings.get("images", {}).get("serving")
    if not image and descriptor.emulated:
        # An emulator pulls none: the installed program runs in its place.
        image = f"{descriptor.registry or 'emulated'}/serving@sha256:{'0' * 64}"
    if not image:
        raise InputError(
            f"The rollout of {rollout.endpoint!r} names no image, and neither does the target.",
            hint="make image IMAGE=serving builds and pushes one; --image REF@sha256:... names it.",
        )
    if not _BY_DIGEST.match(image):
        raise InputError(
            f"The image {image!r} is not named by its digest.", hint="REF@sha256:...: a tag can be moved."
        )
    return str(image)


def _config(descriptor: DeploymentDescriptor, rollout: Rollout, models: Mapping[str, str]) -> dict[str, Any]:
    machine, has_own_disks = _machine(descriptor, rollout)

    def variant(each: Variant) -> dict[str, Any]:
        return {
            "VariantName": each.name,
            "ModelName": models[each.name],
            "InstanceType": machine,
            "InitialInstanceCount": rollout.scaling.min_instances,
            # A shadow with the weight of the version that answers gets a copy of each request.
            "InitialVariantWeight": float(each.weight or 100),
            "ModelDataDownloadTimeoutInSeconds": _DOWNLOAD_S,
            "ContainerStartupHealthCheckTimeoutInSeconds": _START_S,
            "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        }

    request: dict[str, Any] = {"ProductionVariants": [variant(each) for each in rollout.answering]}
    shadows = [variant(each) for each in rollout.variants if each.shadow]
    if shadows:
        request["ShadowProductionVariants"] = shadows
    key = descriptor.keys.get("data")
    if key and not has_own_disks:
        request["KmsKeyId"] = key
    return {**request, **_capture(descriptor, rollout, key)}


def _machine(descriptor: DeploymentDescriptor, rollout: Rollout) -> tuple[str, bool]:
    """Type of an instance, and whether its disks have a key of their own that can't be chosen."""
    size = rollout.size
    if size.gpu is not None:
        chosen = choose_machine(descriptor, Compute(gpu=size.gpu, gpu_count=_gpus(descriptor, size.gpu)))
        return chosen.managed, chosen.local_storage
    return cloud_offer(descriptor.provider).endpoint_machine(size.cpus, size.memory_gib).managed, False


def _gpus(descriptor: DeploymentDescriptor, size: str) -> int:
    """Of the smallest machine on offer; 1 where there is none, which is then refused."""
    return min((each.per_node for each in descriptor.gpu if each.size == size), default=1)


def _capture(descriptor: DeploymentDescriptor, rollout: Rollout, key: str | None) -> dict[str, Any]:
    """SageMaker keeps answers only: requests hold images.

    The isolated container reaches no bucket, so its own spool of features would end with it.
    """
    if not _captures(descriptor, rollout):
        return {}
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": rollout.capture.percent,
        "DestinationS3Uri": f"{descriptor.buckets['data']}/capture/{rollout.endpoint}",
        "CaptureOptions": [{"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
        **({"KmsKeyId": key} if key else {}),
    }
    return {"DataCaptureConfig": capture}


def _captures(descriptor: DeploymentDescriptor, rollout: Rollout) -> bool:
    return bool(descriptor.buckets.get("data") and rollout.capture.percent)


def _share(rollout: Rollout, variant: Variant) -> dict[str, Any]:
    share: dict[str, Any] = {"VariantName": variant.name, "DesiredWeight": float(variant.weight)}
    if not _scales(rollout):
        share["DesiredInstanceCount"] = rollout.scaling.min_instances
    return share


def _scales(rollout: Rollout) -> bool:
    return rollout.scaling.max_instances > rollout.scaling.min_instances


def _scaling(settings: Mapping[str, Any], rollout: Rollout, endpoint: str) -> dict[str, Any]:
    """Of versions that answer; a shadow keeps its instances."""
    if not _scales(rollout):
        return {"RegisterScalableTarget": [], "PutScalingPolicy": []}
    default = _REQUESTS_A_MINUTE_AND_CORE * rollout.size.cpus
    policy = {
        "PolicyName": "isocenter-requests",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": float(settings.get("requests_per_minute", default)),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": _SCALE_IN_S,
            "ScaleOutCooldown": _SCALE_OUT_S,
        },
    }
    whats = [
        {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": f"endpoint/{endpoint}/variant/{variant.name}",
            "ScalableDimension": DIMENSION,
        }
        for variant in rollout.answering
    ]
    bounds = {"MinCapacity": rollout.scaling.min_instances, "MaxCapacity": rollout.scaling.max_instances}
    return {
        "RegisterScalableTarget": [{**what, **bounds} for what in whats],
        "PutScalingPolicy": [{**what, **policy} for what in whats],
    }


def _tags(descriptor: DeploymentDescriptor, rollout: Rollout) -> list[dict[str, str]]:
    labels = {**descriptor.labels, **rollout.labels}
    if len(labels) > _MOST_TAGS:
        raise InputError(f"The endpoint {rollout.endpoint!r} has {len(labels)} labels, more than AWS takes.")
    for key, value in labels.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_TAG:
            raise InputError(f"The label {key[:40]!r} of {rollout.endpoint!r} is longer than AWS takes.")
        if not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
            raise InputError(f"The label {key!r} has a character that AWS takes in no tag.")
    return [{"Key": key, "Value": value} for key, value in sorted(labels.items())]
