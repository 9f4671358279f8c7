"""A Rollout as Vertex AI's Models, Endpoint and DeployedModels, in the JSON of its REST reference. Pure.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints and ``.models``.

All names follow from what they name, so that what was made before an interruption is found again, and what
equals something that is there is not made twice.
"""

from collections.abc import Mapping
from typing import Any

from isocenter.backends.vertex_request import label, location_of, project_of
from isocenter.clouds.offer import cloud_offer
from isocenter.domain.digest import digest_json
from isocenter.domain.rollout import Rollout, Variant
from isocenter.domain.run import RunId
from isocenter.errors import InputError
from isocenter.servers.container_environment import container_environment
from isocenter.servers.instance_machine import instance_machine, serving_image
from isocenter.targets.descriptor import DeploymentDescriptor

ROLLOUT, REQUEST, ENDPOINT, DEPLOYED = (
    *("isocenter-rollout", "isocenter-request"),
    *("isocenter-endpoint", "isocenter-deployed-model"),
)
_PORT, _HEALTH, _PREDICT = 8080, "/vertex/health", "/vertex/predict"
_DEPLOYMENT_TIMEOUT = "1800s"
_LONGEST_ENDPOINT, _LONGEST_MODEL, _LONGEST_NAME = 63, 63, 128
_KEY_CHARACTERS = 12


def endpoint_request(rollout: Rollout, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """All that ``apply`` sends, but for what tells how far it has come.

    Raises:
        InputError: Vertex AI can't serve so, or the deployment lacks what it needs.
    """
    name = endpoint_id(rollout.endpoint, descriptor)
    variants = [_variant(rollout, variant, name, descriptor) for variant in rollout.variants]
    return {
        "parent": location_of(descriptor),
        "endpointId": name,
        "endpoint": _endpoint(rollout, descriptor, name),
        "variants": variants,
        "trafficSplit": {each["deployedModel"]["id"]: each["weight"] for each in variants},
    }


def endpoint_id(name: str, descriptor: DeploymentDescriptor) -> str:
    """Last part of the Endpoint's name: targets that share a project don't share endpoints."""
    return _short(f"{name}-{descriptor.name}", _LONGEST_ENDPOINT)


def rollout_label(run: RunId) -> str:
    """The rollout's id in the characters that Google allows in labels."""
    return run.lower()


def served_as(variant: Variant) -> str:
    """The DeployedModel's display name, by which its version is found again."""
    name = f"{variant.reference}@{variant.digest}"
    if len(name) > _LONGEST_NAME:
        raise InputError(f"The model's name {variant.model[:40]!r}... is too long for Vertex AI.")
    return name


def _endpoint(rollout: Rollout, descriptor: DeploymentDescriptor, name: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "displayName": rollout.endpoint,
        "labels": _labels(rollout, descriptor, name),
        # It would copy pixels and scores to BigQuery.
        "predictRequestResponseLoggingConfig": {"enabled": False},
        **_network(descriptor),
    }
    if key := descriptor.keys.get("data"):
        body["encryptionSpec"] = {"kmsKeyName": key}
    return body


def _labels(rollout: Rollout, descriptor: DeploymentDescriptor, name: str) -> dict[str, str]:
    given = {**descriptor.labels, **rollout.labels, ENDPOINT: name}
    return {label(key): label(value) for key, value in given.items()}


def _network(descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """Private Service Connect where the deployment has a network, else a host name of the endpoint's own.

    A peered network won't do: an endpoint in one has one model only, and no split of the traffic.
    https://cloud.google.com/vertex-ai/docs/predictions/using-private-endpoints
    """
    if not descriptor.network.id and not descriptor.network.subnets:
        return {"dedicatedEndpointEnabled": True}
    consumers = descriptor.settings.get("endpoint_consumers") or [project_of(descriptor)]
    config = {"enablePrivateServiceConnect": True, "projectAllowlist": [str(each) for each in consumers]}
    return {"privateServiceConnectConfig": config}


def _variant(
    rollout: Rollout, variant: Variant, name: str, descriptor: DeploymentDescriptor
) -> dict[str, Any]:
    deployed: dict[str, Any] = {
        "displayName": served_as(variant),
        "dedicatedResources": {"machineSpec": _machine(rollout, descriptor)},
        "disableContainerLogging": False,
        "enableAccessLogging": False,
    }
    if account := descriptor.identities.get("serving"):
        deployed["serviceAccount"] = account
    model = _model(rollout, variant, descriptor)
    # Whatever changes the container or its machine is another Model and DeployedModel. Labels and the number
    # of machines don't.
    mark = digest_json([name, model, deployed]).removeprefix("sha256:")
    model_id = _short(f"{name}-{variant.name}", _LONGEST_MODEL - _KEY_CHARACTERS - 1)
    model_id = f"{model_id}-{mark[:_KEY_CHARACTERS]}"
    bounds = {
        "minReplicaCount": rollout.scaling.min_instances,
        "maxReplicaCount": rollout.scaling.max_instances,
    }
    number = str(int(mark[:8], 16) | 1)
    return {
        "reference": variant.reference,
        "weight": variant.weight,
        "modelId": model_id,
        "model": {**model, "labels": {**_labels(rollout, descriptor, name), DEPLOYED: number}},
        "deployedModel": {
            **deployed,
            "id": number,
            "model": f"{location_of(descriptor)}/models/{model_id}",
            "dedicatedResources": {**deployed["dedicatedResources"], **bounds},
        },
    }


def _model(rollout: Rollout, variant: Variant, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    environment = container_environment(rollout, variant, "vertex")
    body: dict[str, Any] = {
        "displayName": served_as(variant),
        "artifactUri": variant.uri,
        "containerSpec": {
            "imageUri": serving_image(rollout.image, descriptor),
            "args": ["serve"],
            "env": [{"name": key, "value": value} for key, value in sorted(environment.items())],
            "ports": [{"containerPort": _PORT}],
            "predictRoute": _PREDICT,
            "healthRoute": _HEALTH,
            "deploymentTimeout": _DEPLOYMENT_TIMEOUT,
        },
    }
    if key := descriptor.keys.get("data"):
        body["encryptionSpec"] = {"kmsKeyName": key}
    return body


def _machine(rollout: Rollout, descriptor: DeploymentDescriptor) -> Mapping[str, Any]:
    machine = instance_machine(descriptor, rollout.size)
    if not machine.gpus:
        return {"machineType": machine.managed}
    return {
        "machineType": machine.managed,
        # A machine type that the table lacks carries the GPU all the same.
        "acceleratorType": machine.accelerator or _accelerator(rollout),
        "acceleratorCount": machine.gpus,
    }


def _accelerator(rollout: Rollout) -> str:
    return cloud_offer("gcp").machines(rollout.size.gpu or "")[0].accelerator


def _short(text: str, longest: int) -> str:
    """``text`` with a mark of the rest in place of what is too long."""
    if len(text) <= longest:
        return text
    mark = digest_json(text).removeprefix("sha256:")[:_KEY_CHARACTERS]
    return f"{text[: longest - _KEY_CHARACTERS - 1]}-{mark}"
