"""GKE, for teams that outgrow or avoid Vertex AI: private, GPU nodes from zero."""

from dataclasses import dataclass
from typing import Any

from cdktn import Fn, TerraformResourceLifecycle
from cdktn_provider_google.container_cluster import (
    ContainerCluster,
    ContainerClusterAddonsConfig,
    ContainerClusterAddonsConfigGcePersistentDiskCsiDriverConfig,
    ContainerClusterAddonsConfigGcsFuseCsiDriverConfig,
    ContainerClusterBinaryAuthorization,
    ContainerClusterDatabaseEncryption,
    ContainerClusterIpAllocationPolicy,
    ContainerClusterLoggingConfig,
    ContainerClusterMasterAuth,
    ContainerClusterMasterAuthClientCertificateConfig,
    ContainerClusterMasterAuthorizedNetworksConfig,
    ContainerClusterMasterAuthorizedNetworksConfigCidrBlocks,
    ContainerClusterMonitoringConfig,
    ContainerClusterMonitoringConfigManagedPrometheus,
    ContainerClusterNodeConfig,
    ContainerClusterNodeConfigShieldedInstanceConfig,
    ContainerClusterPrivateClusterConfig,
    ContainerClusterRbacBindingConfig,
    ContainerClusterReleaseChannel,
    ContainerClusterSecurityPostureConfig,
    ContainerClusterServiceExternalIpsConfig,
    ContainerClusterWorkloadIdentityConfig,
)
from cdktn_provider_google.container_node_pool import ContainerNodePool
from cdktn_provider_google.project_iam_member import ProjectIamMember
from cdktn_provider_google.service_account import ServiceAccount
from cdktn_provider_google.service_account_iam_member import ServiceAccountIamMember
from cdktn_provider_helm.provider import HelmProvider, HelmProviderKubernetes, HelmProviderKubernetesExec
from constructs import Construct

from isocenter.targets.settings import GpuSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.gpu import pool_name
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.network import PODS, SERVICES, Network
from isocenter_infra.gcp.node_pool import NodePool, NodePoolArgs
from isocenter_infra.gcp.registry import Registry
from isocenter_infra.workloads import install_workloads

_NAMESPACE = "isocenter"
_LOGGED = ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"]
_USE = "roles/iam.serviceAccountUser"


@dataclass(frozen=True)
class KubernetesArgs:
    """What the cluster needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        network: that it runs in.
        identity: whose accounts its workloads may become.
        registry: that its nodes pull from.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys
    network: Network
    identity: Identity
    registry: Registry


class Kubernetes(Construct):
    """The cluster, a small pool of system nodes, and one pool of nodes a GPU size."""

    def __init__(self, scope: Construct, id_: str, args: KubernetesArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.nodes = self._account()
        self.cluster = self._cluster()
        kinds = args.deployment.settings.compute.gpu
        pools = [self._pool("system"), *(self._pool(f"gpu-{pool_name(gpu)}", gpu) for gpu in kinds)]
        self._bind_workloads()
        self._install(pools)

    def _pool(self, name: str, gpu: GpuSettings | None = None) -> ContainerNodePool:
        args = self._args
        pool_args = NodePoolArgs(args.deployment, self.cluster, args.keys, self.nodes.email, gpu)
        return NodePool(self, name, pool_args).pool

    def _account(self) -> ServiceAccount:
        """Of the nodes: writes logs and metrics, pulls images, reads nothing else."""
        names, deployer = self._args.names, self._args.identity.accounts["ci-deploy"]
        account = ServiceAccount(
            self, "nodes", account_id=f"{names.prefix}-nodes", display_name="Nodes of Kubernetes"
        )
        ProjectIamMember(
            self,
            "nodes-role",
            project=names.project,
            role="roles/container.defaultNodeServiceAccount",
            member=account.member,
        )
        self._args.registry.let_pull("nodes", account.member)
        self._let_use("nodes-deploy", account, _USE, deployer.member)
        return account

    def _let_use(self, id_: str, account: ServiceAccount, role: str, member: str) -> None:
        ServiceAccountIamMember(self, id_, service_account_id=account.name, role=role, member=member)

    def _bind_workloads(self) -> None:
        """Pods of one Kubernetes account each become the account of the same name, without a key."""
        for role in ("training", "serving"):
            pod = f"serviceAccount:{self._args.names.project}.svc.id.goog[{_NAMESPACE}/{role}]"
            account = self._args.identity.accounts[role]
            self._let_use(f"{role}-pods", account, "roles/iam.workloadIdentityUser", pod)

    def _cluster(self) -> ContainerCluster:
        args, names = self._args, self._args.names
        return ContainerCluster(
            self,
            "cluster",
            name=names.prefix,
            location=names.region,
            network=args.network.vpc.id,
            subnetwork=args.network.subnet.id,
            # Its first pool must be made, and goes at once.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=self._first_nodes(),
            deletion_protection=args.deployment.protect,
            depends_on=[*args.keys.secrets.ready, *args.keys.data.ready],
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=args.deployment.protect, ignore_changes=["node_config"]
            ),
            **self._privacy(),
            **_hardening(args.keys.secrets.key_id, names.project),
            **_service(),
        )

    def _first_nodes(self) -> ContainerClusterNodeConfig:
        return ContainerClusterNodeConfig(
            service_account=self.nodes.email,
            boot_disk_kms_key=self._args.keys.data.key_id,
            shielded_instance_config=ContainerClusterNodeConfigShieldedInstanceConfig(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
        )

    def _privacy(self) -> dict[str, Any]:
        """Neither nodes nor control plane have an address outside; who may call it is inside or a peer."""
        network = self._args.deployment.settings.network
        callers = [
            ContainerClusterMasterAuthorizedNetworksConfigCidrBlocks(cidr_block=str(cidr))
            for cidr in (network.cidr, *network.peers)
        ]
        return {
            "private_cluster_config": ContainerClusterPrivateClusterConfig(
                enable_private_nodes=True,
                enable_private_endpoint=True,
                private_endpoint_subnetwork=self._args.network.subnet.id,
            ),
            "master_authorized_networks_config": ContainerClusterMasterAuthorizedNetworksConfig(
                cidr_blocks=callers, gcp_public_cidrs_access_enabled=False
            ),
            "networking_mode": "VPC_NATIVE",
            "ip_allocation_policy": ContainerClusterIpAllocationPolicy(
                cluster_secondary_range_name=PODS, services_secondary_range_name=SERVICES
            ),
            "service_external_ips_config": ContainerClusterServiceExternalIpsConfig(enabled=False),
        }

    def _install(self, pools: list[ContainerNodePool]) -> None:
        login = HelmProviderKubernetesExec(
            api_version="client.authentication.k8s.io/v1beta1", command="gke-gcloud-auth-plugin"
        )
        authority = self.cluster.master_auth.cluster_ca_certificate
        connection = HelmProviderKubernetes(
            host=f"https://{self.cluster.endpoint}",
            cluster_ca_certificate=Fn.base64decode(authority),
            exec=login,
        )
        HelmProvider(self, "helm", kubernetes=connection)
        # GKE brings driver and device plugin itself.
        install_workloads(self, device_plugin=False, depends_on=[self.cluster, *pools])


def _hardening(secrets_key: str, project: str) -> dict[str, Any]:
    return {
        "enable_shielded_nodes": True,
        "enable_legacy_abac": False,
        "enable_kubernetes_alpha": False,
        "workload_identity_config": ContainerClusterWorkloadIdentityConfig(
            workload_pool=f"{project}.svc.id.goog"
        ),
        "database_encryption": ContainerClusterDatabaseEncryption(state="ENCRYPTED", key_name=secrets_key),
        "binary_authorization": ContainerClusterBinaryAuthorization(
            evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE"
        ),
        "master_auth": ContainerClusterMasterAuth(
            client_certificate_config=ContainerClusterMasterAuthClientCertificateConfig(
                issue_client_certificate=False
            )
        ),
        # No rights for every caller, known or unknown.
        "rbac_binding_config": ContainerClusterRbacBindingConfig(
            enable_insecure_binding_system_authenticated=False,
            enable_insecure_binding_system_unauthenticated=False,
        ),
        "security_posture_config": ContainerClusterSecurityPostureConfig(mode="BASIC"),
        # Dataplane V2: network policies are obeyed.
        "datapath_provider": "ADVANCED_DATAPATH",
        "enable_intranode_visibility": True,
    }


def _service() -> dict[str, Any]:
    return {
        "release_channel": ContainerClusterReleaseChannel(channel="REGULAR"),
        "logging_config": ContainerClusterLoggingConfig(enable_components=_LOGGED),
        "monitoring_config": ContainerClusterMonitoringConfig(
            enable_components=["SYSTEM_COMPONENTS"],
            managed_prometheus=ContainerClusterMonitoringConfigManagedPrometheus(enabled=True),
        ),
        "addons_config": ContainerClusterAddonsConfig(
            gcs_fuse_csi_driver_config=ContainerClusterAddonsConfigGcsFuseCsiDriverConfig(enabled=True),
            gce_persistent_disk_csi_driver_config=ContainerClusterAddonsConfigGcePersistentDiskCsiDriverConfig(
                enabled=True
            ),
        ),
    }
