"""One pool of Kubernetes nodes: shielded, encrypted, without a public address, without node credentials."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_google.container_cluster import ContainerCluster
from cdktn_provider_google.container_node_pool import (
    ContainerNodePool,
    ContainerNodePoolAutoscaling,
    ContainerNodePoolManagement,
    ContainerNodePoolNetworkConfig,
    ContainerNodePoolNodeConfig,
    ContainerNodePoolNodeConfigGuestAccelerator,
    ContainerNodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfig,
    ContainerNodePoolNodeConfigKubeletConfig,
    ContainerNodePoolNodeConfigShieldedInstanceConfig,
    ContainerNodePoolNodeConfigTaint,
    ContainerNodePoolNodeConfigWorkloadMetadataConfig,
)
from constructs import Construct

from isocenter.targets.settings import GpuSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.gpu import machine_of
from isocenter_infra.gcp.keys import Keys

_SYSTEM_MACHINE = "n2-standard-4"
_SYSTEM_NODES = 4
_DISK_GB = 200


@dataclass(frozen=True)
class NodePoolArgs:
    """What one pool needs to know.

    Args:
        deployment: it belongs to.
        cluster: it joins.
        keys: that encrypt its disks.
        account: address of the account that its nodes have.
        gpu: on each node; None for system nodes.
    """

    deployment: Deployment
    cluster: ContainerCluster
    keys: Keys
    account: str
    gpu: GpuSettings | None


class NodePool(Construct):
    """The pool; one with GPUs starts at no node."""

    def __init__(self, scope: Construct, id_: str, args: NodePoolArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        least = 0 if args.gpu else 1
        most = max(1, args.gpu.max_nodes) if args.gpu else _SYSTEM_NODES
        self.pool = ContainerNodePool(
            self,
            "pool",
            name=id_,
            cluster=args.cluster.id,
            initial_node_count=least,
            # In the whole region, not in each zone.
            autoscaling=ContainerNodePoolAutoscaling(
                total_min_node_count=least, total_max_node_count=most, location_policy="ANY"
            ),
            management=ContainerNodePoolManagement(auto_repair=True, auto_upgrade=True),
            network_config=ContainerNodePoolNetworkConfig(enable_private_nodes=True),
            node_config=self._nodes(),
            depends_on=args.keys.data.ready,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["initial_node_count"]),
        )

    def _nodes(self) -> ContainerNodePoolNodeConfig:
        args, gpu = self._args, self._args.gpu
        return ContainerNodePoolNodeConfig(
            machine_type=machine_of(gpu).node if gpu else _SYSTEM_MACHINE,
            image_type="COS_CONTAINERD",
            spot=bool(gpu and gpu.spot),
            disk_size_gb=_DISK_GB,
            disk_type="pd-balanced",
            boot_disk_kms_key=args.keys.data.key_id,
            service_account=args.account,
            # The account's roles are the limit, not the scope.
            oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
            guest_accelerator=[_accelerator(gpu)] if gpu else None,
            labels={"isocenter-gpu": gpu.size} if gpu else {"isocenter-pool": "system"},
            taint=[_taint()] if gpu else None,
            metadata={"disable-legacy-endpoints": "true"},
            shielded_instance_config=ContainerNodePoolNodeConfigShieldedInstanceConfig(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
            # Pods see their own account's credentials, never the node's.
            workload_metadata_config=ContainerNodePoolNodeConfigWorkloadMetadataConfig(mode="GKE_METADATA"),
            kubelet_config=ContainerNodePoolNodeConfigKubeletConfig(
                insecure_kubelet_readonly_port_enabled="FALSE"
            ),
        )


def _accelerator(gpu: GpuSettings) -> ContainerNodePoolNodeConfigGuestAccelerator:
    machine = machine_of(gpu)
    return ContainerNodePoolNodeConfigGuestAccelerator(
        # GKE writes nvidia-l4 where Vertex AI writes NVIDIA_L4.
        type=machine.accelerator.lower().replace("_", "-"),
        count=machine.gpus,
        gpu_driver_installation_config=ContainerNodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfig(
            gpu_driver_version="DEFAULT"
        ),
    )


def _taint() -> ContainerNodePoolNodeConfigTaint:
    return ContainerNodePoolNodeConfigTaint(key="nvidia.com/gpu", value="present", effect="NO_SCHEDULE")
