"""The deployment descriptor as an output of a stack, and back from what Terraform prints."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from isocenter.clouds.offer import cloud_offer
from isocenter.domain.field_faults import field_faults
from isocenter.errors import IntegrityError
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter.targets.settings import Cloud, DeploymentSettings
from isocenter_infra.deployment import Deployment

if TYPE_CHECKING:
    from constructs import Construct

OUTPUT = "descriptor"


@dataclass(frozen=True)
class Provisioned:
    """What a stack made, in the descriptor's words; values may be references that Terraform fills in.

    Args: as the fields of :class:`isocenter.targets.descriptor.DeploymentDescriptor`.
    """

    backend: str
    buckets: Mapping[str, str]
    keys: Mapping[str, str]
    registry: str
    identities: Mapping[str, str]
    network: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    workspace: str
    log_sink: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    by_platform: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def add_descriptor(stack: "Construct", deployment: Deployment, made: Provisioned) -> None:
    """Give ``stack`` the output from which its descriptor is written after an apply."""
    from cdktn import TerraformOutput

    body = dataclasses.asdict(made)
    body["network"] = {key: body.pop(key) for key in ("subnets", "security_groups")} | {"id": made.network}
    value = _with_lists(_stated(deployment.settings) | body)
    output = TerraformOutput(stack, OUTPUT, value=value, static_id=True)
    output.override_logical_id(OUTPUT)


def _with_lists(value: Any) -> Any:
    """jsii takes lists and dicts only."""
    if isinstance(value, Mapping):
        return {key: _with_lists(item) for key, item in value.items()}
    return [_with_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _stated(settings: DeploymentSettings) -> dict[str, Any]:
    return {
        "name": settings.name,
        "provider": str(settings.cloud),
        "region": settings.region,
        "residency": settings.residency,
        "environment": settings.environment,
        "labels": settings.labels,
        "gpu": _on_offer(settings),
        "endpoint_bounds": {each.name: each.model_dump(exclude={"name"}) for each in settings.endpoints},
    }


def _on_offer(settings: DeploymentSettings) -> list[dict[str, Any]]:
    return [
        gpu.model_dump() | {"machine": _machine(settings.cloud, gpu.size, gpu.per_node)}
        for gpu in settings.compute.gpu
    ]


def _machine(cloud: Cloud, size: str, per_node: int) -> str:
    if cloud is Cloud.ONPREM:
        return ""
    machines = cloud_offer(cloud).machines(size)
    return next(machine.managed for machine in machines if machine.gpus == per_node)


def parse_descriptor(printed: str, **more: Any) -> DeploymentDescriptor:
    """The descriptor from what ``terraform output -json descriptor`` printed.

    Args:
        printed: JSON.
        more: fields that Terraform doesn't know of (``emulated``, ``left_out``, ``endpoints``).

    Raises:
        IntegrityError: it isn't one; a defect of the stack.
    """
    try:
        return DeploymentDescriptor.model_validate(json.loads(printed) | more)
    except ValidationError as error:
        faults = field_faults(error, DeploymentDescriptor)
        raise IntegrityError(f"The stack's output is no deployment descriptor: {faults}.") from error
