"""VPC Service Controls: the project's services answer inside of the perimeter, and send nothing out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktn_provider_google.access_context_manager_service_perimeter import (
    AccessContextManagerServicePerimeter,
    AccessContextManagerServicePerimeterStatus,
    AccessContextManagerServicePerimeterStatusIngressPolicies,
    AccessContextManagerServicePerimeterStatusIngressPoliciesIngressFrom,
    AccessContextManagerServicePerimeterStatusIngressPoliciesIngressFromSources,
    AccessContextManagerServicePerimeterStatusIngressPoliciesIngressTo,
    AccessContextManagerServicePerimeterStatusIngressPoliciesIngressToOperations,
    AccessContextManagerServicePerimeterStatusIngressPoliciesIngressToOperationsMethodSelectors,
    AccessContextManagerServicePerimeterStatusVpcAccessibleServices,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.audit import Audit
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.protection import protected

RESTRICTED = tuple(
    f"{service}.googleapis.com"
    for service in (
        *("aiplatform", "artifactregistry", "bigquery", "binaryauthorization", "cloudasset", "cloudkms"),
        *("compute", "container", "containeranalysis", "dns", "logging", "monitoring", "notebooks"),
        *("pubsub", "secretmanager", "storage", "storagetransfer"),
    )
)
# What GitHub's workflows call from outside. No data service but storage, for Terraform's state; that they
# read no patient data is said by their roles.
_FROM_OUTSIDE = tuple(
    service
    for service in RESTRICTED
    if service not in ("bigquery.googleapis.com", "aiplatform.googleapis.com")
)
_PUBSUB = ("pubsub.googleapis.com",)
# What workloads may call: what is restricted, and what makes their tokens.
_FROM_INSIDE = ("RESTRICTED-SERVICES", "iamcredentials.googleapis.com", "sts.googleapis.com")


@dataclass(frozen=True)
class PerimeterArgs:
    """What the perimeter needs to know: the deployment, names, and who comes in from outside."""

    deployment: Deployment
    names: GcpNames
    audit: Audit
    identity: Identity


class Perimeter(Construct):
    """The perimeter around the project.

    People work from within the connected network. An apply must come from there too, or from GitHub's
    workflow: once the perimeter stands, Terraform on any other machine is refused.
    """

    def __init__(self, scope: Construct, id_: str, args: PerimeterArgs) -> None:
        super().__init__(scope, id_)
        names = args.names
        members = [args.identity.accounts[role].member for role in ("ci-plan", "ci-deploy")]
        AccessContextManagerServicePerimeter(
            self,
            "perimeter",
            parent=names.access_policy,
            name=f"{names.access_policy}/servicePerimeters/{names.underscored}",
            title=names.prefix,
            perimeter_type="PERIMETER_TYPE_REGULAR",
            status=AccessContextManagerServicePerimeterStatus(
                resources=[f"projects/{names.number}"],
                restricted_services=list(RESTRICTED),
                vpc_accessible_services=AccessContextManagerServicePerimeterStatusVpcAccessibleServices(
                    enable_restriction=True, allowed_services=list(_FROM_INSIDE)
                ),
                ingress_policies=[
                    _let_in("GitHub's workflows", members, names.number, _FROM_OUTSIDE),
                    _let_in("Findings", [args.audit.threats.sender], names.number, _PUBSUB),
                ],
            ),
            **protected(args.deployment),
        )


def _let_in(
    title: str, members: list[str], number: str, services: Sequence[str]
) -> AccessContextManagerServicePerimeterStatusIngressPolicies:
    return AccessContextManagerServicePerimeterStatusIngressPolicies(
        title=title,
        ingress_from=AccessContextManagerServicePerimeterStatusIngressPoliciesIngressFrom(
            identities=members,
            # Neither GitHub nor Google have an address of their own: the identity is what is checked.
            sources=[
                AccessContextManagerServicePerimeterStatusIngressPoliciesIngressFromSources(access_level="*")
            ],
        ),
        ingress_to=AccessContextManagerServicePerimeterStatusIngressPoliciesIngressTo(
            resources=[f"projects/{number}"], operations=[_every_call(service) for service in services]
        ),
    )


def _every_call(service: str) -> Any:
    every = AccessContextManagerServicePerimeterStatusIngressPoliciesIngressToOperationsMethodSelectors(
        method="*"
    )
    return AccessContextManagerServicePerimeterStatusIngressPoliciesIngressToOperations(
        service_name=service, method_selectors=[every]
    )
