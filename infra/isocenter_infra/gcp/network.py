"""A network without a way to the internet: one private subnet, Google's APIs at an inside address, logged."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from cdktn_provider_google.compute_network import ComputeNetwork
from cdktn_provider_google.compute_ssl_policy import ComputeSslPolicy
from cdktn_provider_google.compute_subnetwork import (
    ComputeSubnetwork,
    ComputeSubnetworkLogConfig,
    ComputeSubnetworkSecondaryIpRange,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.firewall import Firewall, FirewallArgs
from isocenter_infra.gcp.google_access import GoogleAccess, GoogleAccessArgs
from isocenter_infra.gcp.names import GcpNames

PODS, SERVICES = "pods", "services"


@dataclass(frozen=True)
class NetworkArgs:
    """What the network needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
    """

    deployment: Deployment
    names: GcpNames


@dataclass(frozen=True)
class Ranges:
    """The quarters of the network's range, and the ranges of pods.

    Args:
        workloads: the subnet.
        google: Vertex AI's machines, in Google's network, peered with ours.
        apis: address at which Google's APIs answer; outside of every subnet.
        pods: of Kubernetes; None without it.
    """

    workloads: IPv4Network
    google: IPv4Network
    apis: str
    pods: IPv4Network | None


class Network(Construct):
    """VPC, its subnet (in all zones of the region), its firewall, and the ways to Google's services."""

    def __init__(self, scope: Construct, id_: str, args: NetworkArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.ranges = _ranges(args.deployment)
        self.vpc = ComputeNetwork(
            self,
            "vpc",
            name=args.names.prefix,
            auto_create_subnetworks=False,
            # Without the route 0.0.0.0/0 nothing reaches the internet, whatever the firewall says.
            delete_default_routes_on_create=True,
            routing_mode="REGIONAL",
        )
        self.subnet = self._subnet()
        Firewall(self, "firewall", FirewallArgs(args.names, self.vpc, self.ranges))
        self.google = GoogleAccess(
            self, "google", GoogleAccessArgs(args.deployment, args.names, self.vpc, self.ranges)
        )
        ComputeSslPolicy(self, "tls", name=args.names.prefix, profile="RESTRICTED", min_tls_version="TLS_1_2")

    def _subnet(self) -> ComputeSubnetwork:
        names = self._args.names
        return ComputeSubnetwork(
            self,
            "subnet",
            name=f"{names.prefix}-workloads",
            region=names.region,
            network=self.vpc.id,
            ip_cidr_range=str(self.ranges.workloads),
            private_ip_google_access=True,
            stack_type="IPV4_ONLY",
            log_config=ComputeSubnetworkLogConfig(
                aggregation_interval="INTERVAL_5_SEC", flow_sampling=1, metadata="INCLUDE_ALL_METADATA"
            ),
            secondary_ip_range=self._kubernetes_ranges(),
        )

    def _kubernetes_ranges(self) -> list[ComputeSubnetworkSecondaryIpRange]:
        settings = self._args.deployment.settings
        if not settings.compute.kubernetes:
            return []
        ranges = {PODS: settings.network.kubernetes_pods, SERVICES: settings.network.kubernetes_services}
        return [
            ComputeSubnetworkSecondaryIpRange(range_name=name, ip_cidr_range=str(cidr))
            for name, cidr in ranges.items()
        ]


def _ranges(deployment: Deployment) -> Ranges:
    settings = deployment.settings
    workloads, google, rest, _spare = settings.network.cidr.subnets(prefixlen_diff=2)
    pods = settings.network.kubernetes_pods if settings.compute.kubernetes else None
    return Ranges(workloads, google, str(rest.network_address + 2), pods)
