"""AKS, for teams that outgrow or avoid Azure ML: private, GPU nodes from zero."""

import json
from dataclasses import dataclass

from cdktn import Fn, TerraformResource, TerraformResourceLifecycle
from cdktn_provider_azurerm.disk_encryption_set import DiskEncryptionSet, DiskEncryptionSetIdentity
from cdktn_provider_azurerm.federated_identity_credential import FederatedIdentityCredential
from cdktn_provider_azurerm.kubernetes_cluster import (
    KubernetesCluster,
    KubernetesClusterApiServerAccessProfile,
    KubernetesClusterAzureActiveDirectoryRoleBasedAccessControl,
    KubernetesClusterDefaultNodePool,
    KubernetesClusterDefaultNodePoolUpgradeSettings,
    KubernetesClusterIdentity,
    KubernetesClusterKeyManagementService,
    KubernetesClusterKeyVaultSecretsProvider,
    KubernetesClusterKubeletIdentity,
    KubernetesClusterMicrosoftDefender,
    KubernetesClusterNetworkProfile,
    KubernetesClusterNodeProvisioningProfile,
    KubernetesClusterOmsAgent,
)
from cdktn_provider_azurerm.nat_gateway import NatGateway
from cdktn_provider_azurerm.nat_gateway_public_ip_association import NatGatewayPublicIpAssociation
from cdktn_provider_azurerm.public_ip import PublicIp
from cdktn_provider_azurerm.resource_policy_assignment import ResourcePolicyAssignment
from cdktn_provider_azurerm.role_assignment import RoleAssignment
from cdktn_provider_azurerm.subnet_nat_gateway_association import SubnetNatGatewayAssociation
from cdktn_provider_azurerm.user_assigned_identity import UserAssignedIdentity
from cdktn_provider_helm.provider import HelmProvider, HelmProviderKubernetes, HelmProviderKubernetesExec
from constructs import Construct

from isocenter_infra.azure import trail
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.budget import watch_spending
from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.network import Network
from isocenter_infra.azure.nodes import gpu_nodes
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.registry import Registry
from isocenter_infra.deployment import Deployment
from isocenter_infra.workloads import install_workloads

_VERSION = "1.34"
_SYSTEM_MACHINE = "Standard_D4ds_v5"
_DNS_OFFSET = 10
# Namespace and service accounts that the platform layer runs jobs as.
NAMESPACE = "isocenter"
_WORKLOADS = ("training", "serving")
# Pod security standards, baseline, for Linux-based workloads.
_POD_SECURITY = "/providers/Microsoft.Authorization/policySetDefinitions/a8640138-9b0a-4a28-b8cb-1666c838647d"
# Azure's own namespaces, and the device plugin's: it takes its socket from the node.
_EXCLUDED = (
    "kube-system",
    "gatekeeper-system",
    "azure-arc",
    "azure-extensions-usage-system",
    "isocenter-device-plugin",
)
# Entra's server application of AKS, the same in every tenant.
_AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"


@dataclass(frozen=True)
class KubernetesArgs:
    """What the cluster needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        keys: that encrypt it.
        audit: that keeps its logs.
        network: that it runs in.
        identity: that jobs on it run as.
        registry: that its images come from.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    keys: Keys
    audit: Audit
    network: Network
    identity: Identity
    registry: Registry


class Kubernetes(Construct):
    """The cluster, a small pool of system nodes, and one pool of nodes a GPU size."""

    def __init__(self, scope: Construct, id_: str, args: KubernetesArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        names, here = args.names, args.place.here
        self._user = UserAssignedIdentity(self, "user", name=names.of_purpose("cluster"), **here)
        self._kubelet = UserAssignedIdentity(self, "kubelet", name=names.of_purpose("kubelet"), **here)
        self._disks = DiskEncryptionSet(
            self,
            "disks",
            name=names.of_purpose("disks"),
            key_vault_key_id=args.keys.data.id,
            auto_key_rotation_enabled=True,
            encryption_type="EncryptionAtRestWithPlatformAndCustomerKeys",
            identity=DiskEncryptionSetIdentity(type="UserAssigned", identity_ids=[args.keys.data.user.id]),
            depends_on=[args.keys.data.grant],
            **here,
        )
        self.cluster = self._cluster([*self._grants(), self._way_out()])
        self._trust()
        args.audit.trail.follow(self, "logs", self.cluster.id, trail.KUBERNETES)
        ResourcePolicyAssignment(
            self,
            "pods",
            name=names.of_purpose("pods"),
            display_name="Pods run without privileges",
            resource_id=self.cluster.id,
            policy_definition_id=_POD_SECURITY,
            parameters=_pod_rules(),
            enforce=True,
        )
        subnet = args.network.subnets["nodes"].id
        for gpu in args.deployment.settings.compute.gpu:
            gpu_nodes(self, self.cluster, subnet, args.place, gpu)
        # Azure keeps the nodes, and their cost, in a group of their own.
        watch_spending(self, args.deployment, self.cluster.node_resource_group_id)
        self._install()

    def _grants(self) -> list[RoleAssignment]:
        """What Azure does in our name: nodes in our subnets, secrets under our key, images of ours."""
        args = self._args
        key, subnets = args.keys.secrets.key.resource_versionless_id, args.network.subnets
        wanted = {
            "nodes": (self._user, "Network Contributor", subnets["nodes"].id),
            "api-server": (self._user, "Network Contributor", subnets["api-server"].id),
            "kubelet-user": (self._user, "Managed Identity Operator", self._kubelet.id),
            "disk-key": (self._user, "Reader", self._disks.id),
            "etcd-key": (self._user, "Key Vault Crypto User", key),
            "vault": (self._user, "Key Vault Contributor", args.keys.vault.vault.id),
            "images": (self._kubelet, "AcrPull", args.registry.registry.id),
        }
        return [grant(self, f"may-{name}", *who) for name, who in wanted.items()]

    def _way_out(self) -> SubnetNatGatewayAssociation:
        """The one way out, to what of Azure has no private address; the security group names it."""
        args = self._args
        address = PublicIp(
            self,
            "address",
            name=args.names.of_purpose("outbound"),
            allocation_method="Static",
            sku="Standard",
            **args.place.here,
        )
        gateway = NatGateway(
            self,
            "gateway",
            name=args.names.of_purpose("outbound"),
            sku_name="Standard",
            **args.place.here,
        )
        NatGatewayPublicIpAssociation(
            self, "gateway-address", nat_gateway_id=gateway.id, public_ip_address_id=address.id
        )
        return SubnetNatGatewayAssociation(
            self, "nodes-gateway", nat_gateway_id=gateway.id, subnet_id=args.network.subnets["nodes"].id
        )

    def _cluster(self, first: list[TerraformResource]) -> KubernetesCluster:
        args, workspace = self._args, self._args.audit.workspace.id
        return KubernetesCluster(
            self,
            "cluster",
            name=args.names.prefix,
            dns_prefix=args.names.prefix,
            kubernetes_version=_VERSION,
            sku_tier="Standard",
            automatic_upgrade_channel="patch",
            node_os_upgrade_channel="NodeImage",
            private_cluster_enabled=True,
            private_cluster_public_fqdn_enabled=False,
            local_account_disabled=True,
            run_command_enabled=False,
            role_based_access_control_enabled=True,
            azure_active_directory_role_based_access_control=KubernetesClusterAzureActiveDirectoryRoleBasedAccessControl(
                azure_rbac_enabled=True, tenant_id=args.names.tenant
            ),
            oidc_issuer_enabled=True,
            workload_identity_enabled=True,
            azure_policy_enabled=True,
            image_cleaner_enabled=True,
            image_cleaner_interval_hours=48,
            microsoft_defender=KubernetesClusterMicrosoftDefender(log_analytics_workspace_id=workspace),
            oms_agent=KubernetesClusterOmsAgent(
                log_analytics_workspace_id=workspace, msi_auth_for_monitoring_enabled=True
            ),
            key_vault_secrets_provider=KubernetesClusterKeyVaultSecretsProvider(secret_rotation_enabled=True),
            # Azure wants the version here; a rotated key is followed by the next apply.
            key_management_service=KubernetesClusterKeyManagementService(
                key_vault_key_id=args.keys.secrets.key.id, key_vault_network_access="Private"
            ),
            disk_encryption_set_id=self._disks.id,
            identity=KubernetesClusterIdentity(type="UserAssigned", identity_ids=[self._user.id]),
            kubelet_identity=KubernetesClusterKubeletIdentity(
                client_id=self._kubelet.client_id,
                object_id=self._kubelet.principal_id,
                user_assigned_identity_id=self._kubelet.id,
            ),
            api_server_access_profile=KubernetesClusterApiServerAccessProfile(
                virtual_network_integration_enabled=True, subnet_id=args.network.subnets["api-server"].id
            ),
            network_profile=self._cluster_network(),
            node_provisioning_profile=KubernetesClusterNodeProvisioningProfile(mode="Manual"),
            default_node_pool=self._system_nodes(),
            depends_on=first,
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=args.deployment.protect,
                # The autoscaler moves it.
                ignore_changes=["default_node_pool[0].node_count"],
            ),
            **args.place.here,
        )

    def _cluster_network(self) -> KubernetesClusterNetworkProfile:
        ranges = self._args.deployment.settings.network
        return KubernetesClusterNetworkProfile(
            network_plugin="azure",
            network_plugin_mode="overlay",
            network_data_plane="cilium",
            network_policy="cilium",
            load_balancer_sku="standard",
            outbound_type="userAssignedNATGateway",
            pod_cidr=str(ranges.kubernetes_pods),
            service_cidr=str(ranges.kubernetes_services),
            dns_service_ip=str(ranges.kubernetes_services[_DNS_OFFSET]),
        )

    def _system_nodes(self) -> KubernetesClusterDefaultNodePool:
        return KubernetesClusterDefaultNodePool(
            name="system",
            vm_size=_SYSTEM_MACHINE,
            temporary_name_for_rotation="rotation",
            only_critical_addons_enabled=False,
            auto_scaling_enabled=True,
            min_count=2,
            max_count=4,
            zones=["1", "2", "3"],
            vnet_subnet_id=self._args.network.subnets["nodes"].id,
            node_public_ip_enabled=False,
            host_encryption_enabled=True,
            max_pods=50,
            os_sku="AzureLinux",
            upgrade_settings=KubernetesClusterDefaultNodePoolUpgradeSettings(max_surge="10%"),
            tags=self._args.place.tags,
        )

    def _trust(self) -> None:
        """Which pods may become which identity, and what may be done in the cluster, and by whom."""
        users = self._args.identity.users
        for name in _WORKLOADS:
            FederatedIdentityCredential(
                self,
                f"{name}-pods",
                name="pods",
                user_assigned_identity_id=users[name].id,
                issuer=self.cluster.oidc_issuer_url,
                audience=["api://AzureADTokenExchange"],
                subject=f"system:serviceaccount:{NAMESPACE}:{name}",
            )
        namespace = f"{self.cluster.id}/namespaces/{NAMESPACE}"
        login, id_ = "Azure Kubernetes Service Cluster User Role", self.cluster.id
        grant(self, "pipeline-login", users["pipeline"], login, id_)
        grant(self, "pipeline-jobs", users["pipeline"], "Azure Kubernetes Service RBAC Writer", namespace)
        grant(self, "deploy-login", users["ci-deploy"], login, id_)
        # It installs charts with definitions of their own, which nothing less may.
        grant(self, "deploy", users["ci-deploy"], "Azure Kubernetes Service RBAC Cluster Admin", id_)

    def _install(self) -> None:
        login = HelmProviderKubernetesExec(
            api_version="client.authentication.k8s.io/v1beta1",
            command="kubelogin",
            args=["get-token", "--login", "azurecli", "--server-id", _AKS_SERVER],
        )
        config = self.cluster.kube_config.get(0)
        connection = HelmProviderKubernetes(
            host=config.host,
            cluster_ca_certificate=Fn.base64decode(config.cluster_ca_certificate),
            exec=login,
        )
        HelmProvider(self, "helm", kubernetes=connection)
        install_workloads(self, device_plugin=True, depends_on=[self.cluster])


def _pod_rules() -> str:
    rules = {"effect": {"value": "Deny"}, "excludedNamespaces": {"value": list(_EXCLUDED)}}
    return json.dumps(rules, sort_keys=True)
