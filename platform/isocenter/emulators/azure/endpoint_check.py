"""What Azure ML checks of online endpoints beyond their fields' names and types, as far as its pages say.

https://learn.microsoft.com/azure/machine-learning/reference-yaml-endpoint-online and
https://learn.microsoft.com/azure/machine-learning/how-to-safely-rollout-online-endpoints
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from isocenter.emulators.azure.rest_models import check
from isocenter.emulators.azure.workspace import RefusedError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}[A-Za-z0-9]")
_MACHINE = re.compile(r"Standard_[A-Z]+\d+[a-z]*(_[A-Z]\d+)?(_v\d)?")
_ALL, _MOST_MIRRORED = 100, 50
_LONGEST_TAG = 256


def check_endpoint(name: str, body: Any) -> None:
    """Refuse an endpoint that the service would not make.

    Raises:
        MalformedError: a field is not as declared.
        RefusedError: it is, and is wrong.
    """
    check(body, "OnlineEndpoint")
    _check_name(name)
    _check_tags(body)
    identity = body.get("identity") or {}
    if identity.get("type") == "UserAssigned" and not identity.get("userAssignedIdentities"):
        raise RefusedError(400, "BadArgument", "A user-assigned identity is to be named.")


def check_deployment(name: str, body: Any) -> None:
    """Refuse a deployment that the service would not make.

    Raises:
        MalformedError: a field is not as declared.
        RefusedError: it is, and is wrong.
    """
    check(body, "OnlineDeployment")
    _check_name(name)
    _check_tags(body)
    properties = body["properties"]
    if properties["endpointComputeType"] != "Managed":
        raise RefusedError(400, "BadArgument", "The emulator has managed deployments only.")
    if not _MACHINE.fullmatch(properties.get("instanceType") or ""):
        machine = properties.get("instanceType")
        raise RefusedError(400, "BadArgument", f"The instance type {machine} is not supported.")
    scale = properties.get("scaleSettings") or {"scaleType": "Default"}
    if scale["scaleType"] != "Default":
        raise RefusedError(400, "BadArgument", "A managed deployment scales by Azure Monitor: Default only.")
    if int((body.get("sku") or {}).get("capacity") or 1) < 1:
        raise RefusedError(400, "BadArgument", "A deployment has one instance at least.")


def check_traffic(properties: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse a split of the traffic that doesn't add up, or names what isn't there.

    Raises:
        RefusedError: says which.
    """
    traffic, mirror = (
        {name: int(part) for name, part in (properties.get(each) or {}).items() if part}
        for each in ("traffic", "mirrorTraffic")
    )
    if unknown := [name for name in (*traffic, *mirror) if name not in known]:
        raise RefusedError(400, "BadArgument", f"Traffic for deployments that don't exist: {unknown[0]}.")
    if traffic and sum(traffic.values()) != _ALL:
        raise RefusedError(400, "BadArgument", f"The traffic adds up to {sum(traffic.values())}, not 100.")
    if len(mirror) > 1:
        raise RefusedError(400, "BadArgument", "Traffic can be mirrored to one deployment only.")
    if any(part > _MOST_MIRRORED for part in mirror.values()):
        raise RefusedError(400, "BadArgument", f"At most {_MOST_MIRRORED} % can be mirrored.")
    if mirror.keys() & traffic.keys():
        raise RefusedError(400, "BadArgument", "A deployment has traffic or mirrored traffic, not both.")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RefusedError(
            400, "BadArgument", f"{name[:80]!r}: 3 to 32 letters, digits and hyphens, a letter first."
        )


def _check_tags(body: Mapping[str, Any]) -> None:
    for name, value in (body.get("tags") or {}).items():
        if len(value) > _LONGEST_TAG:
            raise RefusedError(400, "BadArgument", f"The tag {name} has more than {_LONGEST_TAG} characters.")
