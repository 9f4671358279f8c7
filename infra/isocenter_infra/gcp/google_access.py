"""How workloads reach Google's services without the internet, and Google's training machines reach us."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktn_provider_google.compute_global_address import ComputeGlobalAddress
from cdktn_provider_google.compute_global_forwarding_rule import ComputeGlobalForwardingRule
from cdktn_provider_google.compute_network import ComputeNetwork
from cdktn_provider_google.dns_managed_zone import (
    DnsManagedZone,
    DnsManagedZonePrivateVisibilityConfig,
    DnsManagedZonePrivateVisibilityConfigNetworks,
)
from cdktn_provider_google.dns_policy import DnsPolicy, DnsPolicyNetworks
from cdktn_provider_google.dns_record_set import DnsRecordSet
from cdktn_provider_google.service_networking_connection import ServiceNetworkingConnection
from cdktn_provider_google.service_networking_vpc_service_controls import (
    ServiceNetworkingVpcServiceControls,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.names import GcpNames

if TYPE_CHECKING:
    from isocenter_infra.gcp.network import Ranges

_SERVICE = "servicenetworking.googleapis.com"
_DOMAINS = ("googleapis.com", "gcr.io", "pkg.dev")
_NOTEBOOK_DOMAINS = ("notebooks.cloud.google.com", "notebooks.googleusercontent.com")
_TTL_S = 300


@dataclass(frozen=True)
class GoogleAccessArgs:
    """What it needs to know: the deployment, names, the network, and its ranges."""

    deployment: Deployment
    names: GcpNames
    vpc: ComputeNetwork
    ranges: "Ranges"


class GoogleAccess(Construct):
    """An inside address of the APIs that respect the perimeter, its DNS, and the peering with Vertex AI."""

    def __init__(self, scope: Construct, id_: str, args: GoogleAccessArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self._endpoint()
        notebooks = args.deployment.settings.compute.notebooks
        for domain in (*_DOMAINS, *(_NOTEBOOK_DOMAINS if notebooks else ())):
            self._zone(domain)
        DnsPolicy(
            self,
            "dns",
            name=args.names.prefix,
            enable_logging=True,
            enable_inbound_forwarding=False,
            networks=[DnsPolicyNetworks(network_url=args.vpc.id)],
        )
        self.connection = self._peer()

    def _endpoint(self) -> None:
        args = self._args
        address = ComputeGlobalAddress(
            self,
            "address",
            name=f"{args.names.prefix}-apis",
            purpose="PRIVATE_SERVICE_CONNECT",
            address_type="INTERNAL",
            network=args.vpc.id,
            address=args.ranges.apis,
        )
        ComputeGlobalForwardingRule(
            self,
            "endpoint",
            name=args.names.short,
            # Not all-apis: only services that VPC Service Controls watch over.
            target="vpc-sc",
            network=args.vpc.id,
            ip_address=address.id,
            load_balancing_scheme="",
        )

    def _zone(self, domain: str) -> None:
        """The domain and all below it, at the inside address."""
        args, id_ = self._args, domain.replace(".", "-")
        visible = DnsManagedZonePrivateVisibilityConfigNetworks(network_url=args.vpc.id)
        zone = DnsManagedZone(
            self,
            id_,
            name=f"{args.names.prefix}-{id_}",
            dns_name=f"{domain}.",
            description=f"{domain} at the private endpoint",
            visibility="private",
            private_visibility_config=DnsManagedZonePrivateVisibilityConfig(networks=[visible]),
        )
        records = {"": ("A", args.ranges.apis), "*.": ("CNAME", f"{domain}.")}
        for prefix, (kind, target) in records.items():
            DnsRecordSet(
                self,
                f"{id_}-{kind.lower()}",
                managed_zone=zone.name,
                name=f"{prefix}{domain}.",
                type=kind,
                ttl=_TTL_S,
                rrdatas=[target],
            )

    def _peer(self) -> ServiceNetworkingConnection:
        """Private services access: Vertex AI's machines in a range of ours, inside the same perimeter."""
        args, google = self._args, self._args.ranges.google
        range_ = ComputeGlobalAddress(
            self,
            "vertex-range",
            name=f"{args.names.prefix}-vertex",
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            network=args.vpc.id,
            address=str(google.network_address),
            prefix_length=google.prefixlen,
        )
        connection = ServiceNetworkingConnection(
            self,
            "vertex",
            network=args.vpc.id,
            service=_SERVICE,
            reserved_peering_ranges=[range_.name],
            deletion_policy="PREVENT" if args.deployment.protect else "ABANDON",
        )
        # On their side: no way to the internet, and the APIs only where they respect the perimeter.
        ServiceNetworkingVpcServiceControls(
            self,
            "vertex-perimeter",
            network=args.vpc.name,
            service=_SERVICE,
            enabled=True,
            depends_on=[connection],
        )
        return connection
