"""Pools of GPU nodes, empty when idle."""

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.kubernetes_cluster import KubernetesCluster
from cdktn_provider_azurerm.kubernetes_cluster_node_pool import (
    KubernetesClusterNodePool,
    KubernetesClusterNodePoolUpgradeSettings,
)
from constructs import Construct

from isocenter.targets.settings import GpuSettings
from isocenter_infra.azure.machine import machine_for
from isocenter_infra.azure.place import Place

_SPOT = "kubernetes.azure.com/scalesetpriority"
_GPU_TAINT = "nvidia.com/gpu=present:NoSchedule"


def gpu_nodes(
    scope: Construct, cluster: KubernetesCluster, subnet: str, place: Place, gpu: GpuSettings
) -> KubernetesClusterNodePool:
    """A pool of 0 to ``gpu.max_nodes`` machines; none idles."""
    spot = {"priority": "Spot", "eviction_policy": "Delete", "spot_max_price": -1} if gpu.spot else {}
    return KubernetesClusterNodePool(
        scope,
        f"gpu-{gpu.size}-{gpu.per_node}{'-spot' if gpu.spot else ''}",
        name=_pool_name(gpu),
        kubernetes_cluster_id=cluster.id,
        vm_size=machine_for(gpu).node,
        mode="User",
        os_type="Linux",
        os_sku="Ubuntu",
        vnet_subnet_id=subnet,
        auto_scaling_enabled=True,
        min_count=0,
        max_count=max(1, gpu.max_nodes),
        node_public_ip_enabled=False,
        host_encryption_enabled=True,
        max_pods=50,
        # The driver comes with the node's image, the device plugin with Helm.
        gpu_driver="Install",
        node_labels={"isocenter/gpu": gpu.size} | ({_SPOT: "spot"} if gpu.spot else {}),
        node_taints=[_GPU_TAINT, *([f"{_SPOT}=spot:NoSchedule"] if gpu.spot else [])],
        # Azure allows none for spot nodes.
        upgrade_settings=None if gpu.spot else KubernetesClusterNodePoolUpgradeSettings(max_surge="10%"),
        tags=place.tags,
        # The autoscaler moves it.
        lifecycle=TerraformResourceLifecycle(ignore_changes=["node_count"]),
        **spot,
    )


def _pool_name(gpu: GpuSettings) -> str:
    """Azure takes 12 letters and digits: ``a10080x4s`` for four A100 of 80 GiB, spot."""
    return f"{gpu.size.replace('-', '')}x{gpu.per_node}{'s' if gpu.spot else ''}"
