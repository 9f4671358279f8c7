"""Defender for Cloud and Azure Policy: threats are looked for, and what drifts from the rules is found."""

import json
from dataclasses import dataclass

from cdktn_provider_azurerm.resource_group_policy_assignment import ResourceGroupPolicyAssignment
from cdktn_provider_azurerm.security_center_contact import SecurityCenterContact
from cdktn_provider_azurerm.security_center_subscription_pricing import (
    SecurityCenterSubscriptionPricing,
    SecurityCenterSubscriptionPricingExtension,
)
from cdktn_provider_azurerm.subscription_policy_assignment import (
    SubscriptionPolicyAssignment,
    SubscriptionPolicyAssignmentIdentity,
)
from constructs import Construct

from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place

_POLICIES = "/providers/Microsoft.Authorization/policyDefinitions"
_INITIATIVES = "/providers/Microsoft.Authorization/policySetDefinitions"
_HIPAA = f"{_INITIATIVES}/a169a624-5599-4385-a696-c8d643089fab"
_ALLOWED_LOCATIONS = f"{_POLICIES}/e56962a6-4747-49cd-b67b-bf8b01975c4c"
_NO_PUBLIC_INTERFACE = f"{_POLICIES}/83a86a26-fd1f-447c-b59d-e51f44264114"
# Plan -> subplan and extensions.
_PLANS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "StorageAccounts": ("DefenderForStorageV2", ("OnUploadMalwareDetection", "SensitiveDataDiscovery")),
    "Containers": (
        None,
        ("ContainerRegistriesVulnerabilityAssessments", "AgentlessDiscoveryForKubernetes", "ContainerSensor"),
    ),
    "KeyVaults": ("PerKeyVault", ()),
    "Arm": ("PerSubscription", ()),
    "CloudPosture": (None, ("SensitiveDataDiscovery", "EntraPermissionsManagement")),
}


@dataclass(frozen=True)
class PostureArgs:
    """What the posture needs to know: names, both places, and who is told."""

    names: AzureNames
    places: tuple[Place, Place]
    contact: str


class Posture(Construct):
    """Defender's plans and contact; the HIPAA initiative, and where resources may lie."""

    def __init__(self, scope: Construct, id_: str, args: PostureArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for plan in _PLANS:
            self._plan(plan)
        SecurityCenterContact(
            self,
            "contact",
            name="default",
            email=args.contact,
            alert_notifications=True,
            alerts_to_admins=True,
        )
        self._hipaa()
        for which, place in zip(("here", "there"), args.places, strict=True):
            self._bound(which, place)

    def _plan(self, plan: str) -> None:
        subplan, extensions = _PLANS[plan]
        SecurityCenterSubscriptionPricing(
            self,
            plan.lower(),
            resource_type=plan,
            tier="Standard",
            subplan=subplan,
            extension=[SecurityCenterSubscriptionPricingExtension(name=name) for name in extensions],
        )

    def _hipaa(self) -> None:
        # It audits only: its identity has no rights, so nothing is changed behind Terraform's back.
        SubscriptionPolicyAssignment(
            self,
            "hipaa",
            name=self._args.names.of_purpose("hipaa"),
            display_name="HITRUST/HIPAA",
            subscription_id=self._args.names.subscription_id,
            policy_definition_id=_HIPAA,
            enforce=True,
            location=self._args.names.region,
            identity=SubscriptionPolicyAssignmentIdentity(type="SystemAssigned"),
        )

    def _bound(self, which: str, place: Place) -> None:
        names = self._args.names
        allowed = [names.region, names.replica_region, "global"]
        ResourceGroupPolicyAssignment(
            self,
            f"locations-{which}",
            name=names.of_purpose("locations"),
            display_name="Data stays in its residency zone",
            resource_group_id=place.group.id,
            policy_definition_id=_ALLOWED_LOCATIONS,
            parameters=json.dumps({"listOfAllowedLocations": {"value": allowed}}),
            enforce=True,
        )
        ResourceGroupPolicyAssignment(
            self,
            f"interfaces-{which}",
            name=names.of_purpose("interfaces"),
            display_name="No machine has a public address",
            resource_group_id=place.group.id,
            policy_definition_id=_NO_PUBLIC_INTERFACE,
            enforce=True,
        )
