"""What Vertex AI checks of endpoints beyond their fields' names and types, as far as its reference says.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from isocenter.emulators.gcp.custom_job_check import (
    ACCOUNT,
    IMAGE,
    KEY,
    NETWORK,
    label_faults,
    machine_faults,
)
from isocenter.emulators.gcp.service_error import ServiceError

_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_DEPLOYED_ID = re.compile(r"[0-9]{1,10}")
_LONGEST_NAME = 128
_ALL = 100
CHANGEABLE = ("display_name", "description", "labels", "traffic_split")


def check_endpoint(endpoint: Any, endpoint_id: str, region: str) -> None:
    """Refuse an Endpoint that the service would not make.

    Raises:
        ServiceError: names what is wrong.
    """
    if endpoint_id and not _ENDPOINT_ID.fullmatch(endpoint_id):
        raise ServiceError(400, f"Invalid endpoint_id: {endpoint_id}")
    _refuse(_endpoint_faults(endpoint, region))


def check_deployed_model(deployed: Any, model: Any) -> None:
    """Refuse a DeployedModel that the service would not deploy.

    Args:
        deployed: as it was sent.
        model: what is to be deployed.

    Raises:
        ServiceError: names what is wrong.
    """
    _refuse(_deployed_faults(deployed, model))


def check_container(spec: Any) -> None:
    """Refuse a ModelContainerSpec that the service would not take.

    Raises:
        ServiceError: names what is wrong.
    """
    _refuse(_container_faults(spec))


def check_split(split: Mapping[str, int], known: Collection[str]) -> None:
    """Refuse a traffic split that doesn't add up, or names what isn't deployed.

    Raises:
        ServiceError: says which.
    """
    if unknown := [number for number in split if number not in known]:
        raise ServiceError(400, f"Traffic split contains unknown DeployedModel ids: {', '.join(unknown)}.")
    if any(part < 0 for part in split.values()):
        raise ServiceError(400, "Traffic split must not contain negative percentages.")
    if split and sum(split.values()) != _ALL:
        raise ServiceError(400, f"Traffic split percentages must sum to 100, not {sum(split.values())}.")


def check_endpoint_fields(endpoint: Any) -> None:
    """Refuse values that can't be changed to.

    Raises:
        ServiceError: names what is wrong.
    """
    _refuse(("labels", message) for _, message in label_faults(endpoint.labels))


def _refuse(faults: Iterator[tuple[str, str]]) -> None:
    found = [f"{field}: {message}" for field, message in faults]
    if found:
        raise ServiceError(400, "; ".join(found))


def _endpoint_faults(endpoint: Any, region: str) -> Iterator[tuple[str, str]]:
    if not 0 < len(endpoint.display_name) <= _LONGEST_NAME:
        yield "display_name", f"It must have 1 to {_LONGEST_NAME} characters."
    yield from label_faults(endpoint.labels)
    key = endpoint.encryption_spec.kms_key_name
    match = KEY.fullmatch(key)
    if key and (match is None or match[1] not in (region, "global")):
        yield "encryption_spec.kms_key_name", f"It is no key in {region}: {key}"
    private = endpoint.private_service_connect_config
    if endpoint.network and not NETWORK.fullmatch(endpoint.network):
        yield "network", "It must be projects/NUMBER/global/networks/NAME."
    if endpoint.network and private.enable_private_service_connect:
        yield "network", "It can't go with private_service_connect_config."
    if private.enable_private_service_connect and not private.project_allowlist:
        yield "private_service_connect_config.project_allowlist", "Required."
    if endpoint.traffic_split or endpoint.deployed_models:
        yield "deployed_models", "An endpoint is made without any."


def _deployed_faults(deployed: Any, model: Any) -> Iterator[tuple[str, str]]:
    if not model.container_spec.image_uri:
        yield "deployed_model.model", "It has no container_spec and can't be deployed."
    if deployed.id and not _DEPLOYED_ID.fullmatch(deployed.id):
        yield "deployed_model.id", f"It must be 1 to 10 digits: {deployed.id}"
    if len(deployed.display_name) > _LONGEST_NAME:
        yield "deployed_model.display_name", f"It may have {_LONGEST_NAME} characters."
    if deployed.service_account and not ACCOUNT.fullmatch(deployed.service_account):
        yield "deployed_model.service_account", f"No service account: {deployed.service_account}"
    if deployed.WhichOneof("prediction_resources") != "dedicated_resources":
        yield "deployed_model.dedicated_resources", "Required: a custom container runs on nothing else here."
        return
    resources = deployed.dedicated_resources
    yield from bound_faults(resources)
    yield from machine_faults(resources.machine_spec)


def bound_faults(resources: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the number of machines."""
    if resources.min_replica_count < 1:
        yield "dedicated_resources.min_replica_count", "It must be at least 1."
    if resources.max_replica_count and resources.max_replica_count < resources.min_replica_count:
        yield "dedicated_resources.max_replica_count", "It must be at least min_replica_count."


def _container_faults(spec: Any) -> Iterator[tuple[str, str]]:
    if not IMAGE.fullmatch(spec.image_uri):
        yield "container_spec.image_uri", f"No image: {spec.image_uri}"
    for field in ("predict_route", "health_route"):
        route = getattr(spec, field)
        if route and not route.startswith("/"):
            yield f"container_spec.{field}", f"It must begin with a slash: {route}"
    reserved = [variable.name for variable in spec.env if variable.name.startswith("AIP_")]
    if reserved:
        yield "container_spec.env", f"Names that begin with AIP_ are the service's: {', '.join(reserved)}."
