"""A Rollout as Azure ML's online endpoint and managed deployments, in the JSON of its REST reference. Pure.

https://learn.microsoft.com/rest/api/azureml/online-endpoints and ``/online-deployments``.

All names follow from what they name, so that what was made before an interruption is found again, and what
equals something that is there is not made twice.
"""

import re
from collections.abc import Mapping
from typing import Any

from isocenter.backends.azureml_request import datastore_path
from isocenter.domain.digest import digest_json
from isocenter.domain.rollout import Rollout, Variant
from isocenter.errors import InputError
from isocenter.servers.azureml_autoscaling import autoscale_setting
from isocenter.servers.container_environment import container_environment
from isocenter.servers.instance_machine import instance_machine, serving_image
from isocenter.targets.descriptor import DeploymentDescriptor

REFERENCE, DIGEST = "isocenter-version", "isocenter-digest"
_PORT, _LIVE, _READY, _SCORE = 8080, "/azureml/live", "/azureml/ready", "/score"
_LONGEST_NAME, _LONGEST_TAG = 32, 256
_MARK_CHARACTERS = 8
_REQUEST_TIMEOUT, _QUEUE_WAIT = "PT60S", "PT30S"
_PER_CORE = 16
"""Requests that an instance takes at once for each core; the serving program bounds them itself."""
SHADOW_PERCENT = 50
"""Azure ML mirrors at most half of the requests."""


def endpoint_request(rollout: Rollout, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """All that ``apply`` sends, but for what tells how far it has come.

    Raises:
        InputError: Azure ML can't serve so, or the deployment lacks what it needs.
    """
    variants = [_variant(rollout, variant, descriptor) for variant in rollout.variants]
    shadows = [each["name"] for each in variants if each["shadow"]]
    if len(shadows) > 1:
        raise InputError(
            f"The endpoint {rollout.endpoint!r} has {len(shadows)} shadows; Azure ML mirrors to one."
        )
    return {
        "workspace": workspace_id(descriptor),
        "name": endpoint_name(rollout.endpoint, descriptor),
        "endpoint": _endpoint(rollout, descriptor),
        "environment": _environment(rollout, descriptor),
        "variants": variants,
        "traffic": {each["name"]: each["weight"] for each in variants if not each["shadow"]},
        "mirrorTraffic": dict.fromkeys(shadows, SHADOW_PERCENT),
    }


def workspace_id(descriptor: DeploymentDescriptor) -> str:
    """Azure's id of the workspace.

    Raises:
        InputError: the descriptor doesn't say where it is.
    """
    settings = descriptor.settings
    if not (settings.get("subscription") and settings.get("resource_group") and descriptor.workspace):
        raise InputError(
            f"The descriptor of {descriptor.name} doesn't say where its workspace is.",
            hint="Deploy it again.",
        )
    return (
        f"/subscriptions/{settings['subscription']}/resourceGroups/{settings['resource_group']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{descriptor.workspace}"
    )


def endpoint_name(name: str, descriptor: DeploymentDescriptor) -> str:
    """The endpoint's name: it becomes a host name, which a region has once."""
    mark = _mark([name, workspace_id(descriptor), descriptor.name])
    return f"{name[: _LONGEST_NAME - _MARK_CHARACTERS - 1].rstrip('-')}-{mark}"


def tags_of(rollout: Rollout, descriptor: DeploymentDescriptor) -> dict[str, str]:
    """Tags of all that is made for an endpoint."""
    given = {**descriptor.labels, **rollout.labels, "isocenter-endpoint": rollout.endpoint}
    return {key: value[:_LONGEST_TAG] for key, value in given.items()}


def _endpoint(rollout: Rollout, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    public = "Disabled" if descriptor.network.subnets else "Enabled"
    return {
        "location": descriptor.region,
        "tags": tags_of(rollout, descriptor),
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {_identity(descriptor): {}},
        },
        "properties": {"authMode": "AADToken", "publicNetworkAccess": public},
    }


def _identity(descriptor: DeploymentDescriptor) -> str:
    found = descriptor.settings.get("identity_ids", {}).get("serving")
    if not found:
        raise InputError(
            f"The descriptor of {descriptor.name} names no identity for endpoints"
            " (settings.identity_ids.serving).",
            hint="Deploy it again.",
        )
    return str(found)


def _environment(rollout: Rollout, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """The image with the routes that it answers; made once for each image."""
    properties = {
        "image": serving_image(rollout.image, descriptor),
        "osType": "Linux",
        "inferenceConfig": {
            "livenessRoute": {"path": _LIVE, "port": _PORT},
            "readinessRoute": {"path": _READY, "port": _PORT},
            "scoringRoute": {"path": _SCORE, "port": _PORT},
        },
    }
    return {"name": "isocenter-serving", "version": _mark(properties), "properties": properties}


def _variant(rollout: Rollout, variant: Variant, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    environment = _environment(rollout, descriptor)
    model = _model(variant, descriptor)
    properties = {
        "endpointComputeType": "Managed",
        "model": f"{workspace_id(descriptor)}/models/{model['name']}/versions/{model['version']}",
        "environmentId": f"{workspace_id(descriptor)}/environments/{environment['name']}"
        f"/versions/{environment['version']}",
        "environmentVariables": container_environment(rollout, variant, "azureml"),
        "instanceType": instance_machine(descriptor, rollout.size).managed,
        "scaleSettings": {"scaleType": "Default"},
        "requestSettings": {
            "requestTimeout": _REQUEST_TIMEOUT,
            "maxQueueWait": _QUEUE_WAIT,
            "maxConcurrentRequestsPerInstance": _PER_CORE * rollout.size.cpus,
        },
        "readinessProbe": _probe("PT10S"),
        "livenessProbe": _probe("PT600S"),
        "egressPublicNetworkAccess": "Disabled" if descriptor.network.subnets else "Enabled",
        "appInsightsEnabled": False,
        # The data collector would copy pixels to blobs.
        "dataCollector": None,
    }
    tags = {**tags_of(rollout, descriptor), REFERENCE: variant.reference, DIGEST: variant.digest}
    # Whatever changes the container or its machine is another deployment. Tags and the number of machines
    # don't.
    name = f"{_letters(variant.name)[: _LONGEST_NAME - _MARK_CHARACTERS - 1].rstrip('-')}-{_mark(properties)}"
    return {
        "name": name,
        "weight": variant.weight,
        "shadow": variant.shadow,
        "model": model,
        "deployment": {
            "location": descriptor.region,
            "tags": tags,
            "sku": {"name": "Default", "capacity": rollout.scaling.min_instances},
            "properties": properties,
        },
        "autoscaling": autoscale_setting(
            f"{workspace_id(descriptor)}/onlineEndpoints/{endpoint_name(rollout.endpoint, descriptor)}"
            f"/deployments/{name}",
            descriptor.region,
            tags_of(rollout, descriptor),
            rollout.scaling,
            descriptor.settings.get("autoscale", {}),
        ),
    }


def _model(variant: Variant, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    short = datastore_path(descriptor, descriptor.settings, variant.uri)
    uri = short.replace("azureml://", f"azureml:/{workspace_id(descriptor)}/", 1)
    uri = uri.replace("/providers/Microsoft.MachineLearningServices", "", 1)
    return {
        "name": f"isocenter-serving-{_letters(variant.name)}"[:_LONGEST_TAG],
        "version": _mark([variant.digest, uri]),
        "properties": {"modelType": "custom_model", "modelUri": uri, "tags": {DIGEST: variant.digest}},
    }


def _probe(delay: str) -> Mapping[str, Any]:
    return {
        "initialDelay": delay,
        "period": "PT10S",
        "timeout": "PT2S",
        "successThreshold": 1,
        "failureThreshold": 30,
    }


def _letters(name: str) -> str:
    """``name`` with a letter at its begin, as Azure ML wants it."""
    return name if re.match("[a-z]", name) else f"m-{name}"


def _mark(value: Any) -> str:
    return digest_json(value).removeprefix("sha256:")[:_MARK_CHARACTERS]
