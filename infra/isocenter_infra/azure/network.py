"""The private network: subnets without a way out, private endpoints, flow logs."""

from dataclasses import dataclass

from cdktn import TerraformResource
from cdktn_provider_azurerm.monitor_private_link_scope import MonitorPrivateLinkScope
from cdktn_provider_azurerm.monitor_private_link_scoped_service import MonitorPrivateLinkScopedService
from cdktn_provider_azurerm.network_security_group import NetworkSecurityGroup
from cdktn_provider_azurerm.network_watcher_flow_log import (
    NetworkWatcherFlowLog,
    NetworkWatcherFlowLogRetentionPolicy,
    NetworkWatcherFlowLogTrafficAnalytics,
)
from cdktn_provider_azurerm.private_dns_zone import PrivateDnsZone
from cdktn_provider_azurerm.private_dns_zone_virtual_network_link import PrivateDnsZoneVirtualNetworkLink
from cdktn_provider_azurerm.subnet import Subnet, SubnetDelegation, SubnetDelegationServiceDelegation
from cdktn_provider_azurerm.subnet_network_security_group_association import (
    SubnetNetworkSecurityGroupAssociation,
)
from cdktn_provider_azurerm.virtual_network import VirtualNetwork
from cdktn_provider_azurerm.virtual_network_peering import VirtualNetworkPeering
from constructs import Construct

from isocenter.targets.settings import subnets
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.endpoint import Endpoints
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.rules import Allowed, security_group
from isocenter_infra.azure.storage import Storage
from isocenter_infra.azure.trail import NETWORK_GROUP
from isocenter_infra.azure.zones import ZONES
from isocenter_infra.deployment import Deployment

_FLOW_DAYS = 365
_WATCHER_GROUP = "NetworkWatcherRG"
# The ranges are dealt out whether or not Kubernetes is wanted now: adding it later moves nothing.
_SUBNETS = ("endpoints", "workloads", "nodes", "api-server")
# What nodes of Kubernetes need of Azure itself and what has no private address.
_NODE_TAGS = (
    "AzureActiveDirectory",
    "AzureResourceManager",
    "MicrosoftContainerRegistry",
    "AzureFrontDoor.FirstParty",
    "AzureMonitor",
)


@dataclass(frozen=True)
class NetworkArgs:
    """What the network needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        keys: whose vaults get private endpoints.
        storage: that gets private endpoints, and keeps the flow logs.
        audit: that gets private endpoints and the logs.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    keys: Keys
    storage: Storage
    audit: Audit


class Network(Construct):
    """The network, its subnets and their security groups, flow logs, and the ``endpoints`` maker."""

    def __init__(self, scope: Construct, id_: str, args: NetworkArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        ranges = subnets(args.deployment.settings.network.cidr, len(_SUBNETS))
        self._ranges = {name: str(found) for name, found in zip(_SUBNETS, ranges, strict=True)}
        self.network = VirtualNetwork(
            self,
            "network",
            name=args.names.prefix,
            address_space=[str(args.deployment.settings.network.cidr)],
            **args.place.here,
        )
        self.groups: dict[str, NetworkSecurityGroup] = {}
        self.subnets: dict[str, Subnet] = {}
        self._subnet("endpoints", self._to_endpoints())
        self._subnet("workloads", self._of_workloads())
        if args.deployment.settings.compute.kubernetes:
            self._subnet("nodes", self._of_nodes())
            self._subnet(
                "api-server", self._of_api_server(), delegated="Microsoft.ContainerService/managedClusters"
            )
        self._flow_log()
        runner = self._runner()
        self.endpoints = Endpoints(args.names, args.place, self.subnets["endpoints"], self._zones())
        self.paths = (*self._vault_endpoints(), *runner, *self._to_vaults)
        self._connect()

    def _subnet(self, name: str, allowed: tuple[Allowed, ...], delegated: str = "") -> None:
        args = self._args
        group = security_group(self, f"{name}-group", args.names.of_purpose(name), args.place, allowed)
        args.audit.trail.follow(self, f"{name}-group-logs", group.id, NETWORK_GROUP)
        delegation = SubnetDelegation(
            name=name,
            service_delegation=SubnetDelegationServiceDelegation(
                name=delegated, actions=["Microsoft.Network/virtualNetworks/subnets/join/action"]
            ),
        )
        subnet = Subnet(
            self,
            name,
            name=name,
            virtual_network_name=self.network.name,
            address_prefixes=[self._ranges[name]],
            default_outbound_access_enabled=False,
            private_endpoint_network_policies="Enabled",
            private_link_service_network_policies_enabled=True,
            delegation=[delegation] if delegated else None,
            **args.place.within,
        )
        SubnetNetworkSecurityGroupAssociation(
            self, f"{name}-association", subnet_id=subnet.id, network_security_group_id=group.id
        )
        self.groups[name], self.subnets[name] = group, subnet

    def _to_endpoints(self) -> tuple[Allowed, ...]:
        settings = self._args.deployment.settings.network
        within = (str(settings.cidr), *map(str, settings.peers))
        return (Allowed("clients", "Inbound", within, (self._ranges["endpoints"],)),)

    def _of_workloads(self) -> tuple[Allowed, ...]:
        here = (self._ranges["workloads"],)
        peers = tuple(map(str, self._args.deployment.settings.network.peers))
        allowed = (Allowed("endpoints", "Outbound", here, (self._ranges["endpoints"],)),)
        return (*allowed, Allowed("peers", "Inbound", peers, here)) if peers else allowed

    def _of_nodes(self) -> tuple[Allowed, ...]:
        settings = self._args.deployment.settings.network
        here, api = (self._ranges["nodes"],), (self._ranges["api-server"],)
        inside = (*here, str(settings.kubernetes_pods))
        return (
            Allowed("cluster-in", "Inbound", inside, inside, "*", "*"),
            Allowed("cluster-out", "Outbound", inside, inside, "*", "*"),
            Allowed("load-balancer", "Inbound", ("AzureLoadBalancer",), here, "*"),
            Allowed("api-server-in", "Inbound", api, here, "*"),
            Allowed("api-server-out", "Outbound", here, api, "443-4443"),
            Allowed("endpoints", "Outbound", here, (self._ranges["endpoints"],)),
            *(Allowed(f"to-{tag.replace('.', '-')}", "Outbound", here, (tag,)) for tag in _NODE_TAGS),
        )

    def _of_api_server(self) -> tuple[Allowed, ...]:
        here, nodes = (self._ranges["api-server"],), (self._ranges["nodes"],)
        peers = tuple(map(str, self._args.deployment.settings.network.peers))
        return (
            Allowed("nodes-in", "Inbound", nodes, here, "443-4443"),
            Allowed("nodes-out", "Outbound", here, nodes, "*"),
            Allowed("load-balancer", "Inbound", ("AzureLoadBalancer",), here, "9988"),
            Allowed("endpoints", "Outbound", here, (self._ranges["endpoints"],)),
            *((Allowed("peers", "Inbound", peers, here),) if peers else ()),
        )

    def _flow_log(self) -> None:
        args = self._args
        NetworkWatcherFlowLog(
            self,
            "flow-log",
            name=args.names.prefix,
            network_watcher_name=args.names.network_watcher,
            resource_group_name=_WATCHER_GROUP,
            location=args.place.region,
            tags=args.place.tags,
            target_resource_id=self.network.id,
            storage_account_id=args.storage.logs.account.id,
            enabled=True,
            version=2,
            retention_policy=NetworkWatcherFlowLogRetentionPolicy(enabled=True, days=_FLOW_DAYS),
            traffic_analytics=NetworkWatcherFlowLogTrafficAnalytics(
                enabled=True,
                workspace_id=args.audit.workspace.workspace_id,
                workspace_region=args.place.region,
                workspace_resource_id=args.audit.workspace.id,
                interval_in_minutes=10,
            ),
        )

    def _runner(self) -> tuple[TerraformResource, ...]:
        """Connect the network that Terraform runs in, in both directions."""
        args, remote = self._args, self._args.names.runner_network
        if not remote:
            return ()
        _, _, _, _, group, *_, name = remote.split("/")
        ends = {
            "to-runner": (self.network.name, args.place.group.name, remote),
            "from-runner": (name, group, self.network.id),
        }
        return tuple(
            VirtualNetworkPeering(
                self,
                id_,
                name=args.names.of_purpose(id_),
                virtual_network_name=local,
                resource_group_name=local_group,
                remote_virtual_network_id=other,
                allow_virtual_network_access=True,
                allow_forwarded_traffic=False,
                allow_gateway_transit=False,
                use_remote_gateways=False,
            )
            for id_, (local, local_group, other) in ends.items()
        )

    def _zones(self) -> dict[str, PrivateDnsZone]:
        args = self._args
        zones = {
            name: PrivateDnsZone(self, f"{name}-zone", name=zone, tags=args.place.tags, **args.place.within)
            for name, zone in ZONES.items()
        }
        linked = {"network": self.network.id}
        if args.names.runner_network:
            linked["runner"] = args.names.runner_network
        links = {
            (name, whose): PrivateDnsZoneVirtualNetworkLink(
                self,
                f"{name}-{whose}-link",
                name=args.names.of_purpose(whose),
                private_dns_zone_id=zone.id,
                virtual_network_id=network,
                registration_enabled=False,
                tags=args.place.tags,
            )
            for name, zone in zones.items()
            for whose, network in linked.items()
        }
        self._to_vaults = tuple(links["vault", whose] for whose in linked)
        return zones

    def _vault_endpoints(self) -> tuple[TerraformResource, ...]:
        keys = self._args.keys
        return (
            self.endpoints.connect(self, "keys", keys.vault.vault.id, "vault"),
            self.endpoints.connect(self, "copy-keys", keys.replica_vault.vault.id, "vault"),
        )

    def _connect(self) -> None:
        args = self._args
        for bucket in (*args.storage.buckets, args.audit.bucket):
            for kind in ("blob", "dfs"):
                self.endpoints.connect(self, f"{bucket.purpose}-{kind}", bucket.account.id, kind)
        self._monitor = MonitorPrivateLinkScope(
            self,
            "monitor",
            name=args.names.prefix,
            ingestion_access_mode="PrivateOnly",
            query_access_mode="PrivateOnly",
            tags=args.place.tags,
            **args.place.within,
        )
        self.observe("logs", args.audit.workspace.id)
        self.endpoints.connect(self, "monitor", self._monitor.id, "azuremonitor")

    def observe(self, name: str, linked: str) -> None:
        """Let logs reach a workspace or Application Insights privately."""
        MonitorPrivateLinkScopedService(
            self,
            f"monitor-{name}",
            name=name,
            scope_name=self._monitor.name,
            linked_resource_id=linked,
            **self._args.place.within,
        )
