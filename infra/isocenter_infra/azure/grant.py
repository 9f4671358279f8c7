"""One role of one identity on one resource."""

from dataclasses import dataclass
from typing import Any

from cdktn_provider_azurerm.role_assignment import RoleAssignment
from cdktn_provider_azurerm.role_definition import RoleDefinition
from cdktn_provider_azurerm.user_assigned_identity import UserAssignedIdentity
from constructs import Construct


@dataclass(frozen=True)
class Condition:
    """What narrows a grant (https://learn.microsoft.com/azure/role-based-access-control/conditions-format)."""

    text: str
    version: str = "2.0"


def grant(
    scope: Construct,
    id_: str,
    identity: UserAssignedIdentity,
    role: str | RoleDefinition,
    on: str,
    condition: Condition | None = None,
) -> RoleAssignment:
    """Give ``identity`` the ``role`` on the resource with the id ``on``, and on nothing beside it."""
    which: dict[str, Any] = (
        {"role_definition_name": role}
        if isinstance(role, str)
        else {"role_definition_id": role.role_definition_resource_id}
    )
    if condition:
        which |= {"condition": condition.text, "condition_version": condition.version}
    return RoleAssignment(
        scope,
        id_,
        scope=on,
        principal_id=identity.principal_id,
        principal_type="ServicePrincipal",
        # A new identity takes minutes to be known everywhere; without this the first apply fails on it.
        skip_service_principal_aad_check=True,
        **which,
    )
